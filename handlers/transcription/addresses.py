"""Addresses of streams, signed with the credentials that a function has at that moment."""

from collections.abc import Callable

import boto3

from handlers.transcription.signing import StreamRequest, presigned_url


class NoCredentials(Exception):
    """There is nothing to sign with."""


def signer(session: boto3.Session, endpoint: str | None) -> Callable[[StreamRequest, int], str]:
    """Signs a request for so many seconds; `endpoint` is where Amazon Transcribe is, if not where it is for everybody."""

    def signed(request: StreamRequest, seconds: int) -> str:
        credentials = session.get_credentials()
        if credentials is None:
            raise NoCredentials
        return presigned_url(
            credentials, session.region_name, request, expires_seconds=seconds, endpoint=endpoint or None
        )

    return signed
