"""Adds the condition key with the KMS key of an upload to S3, because the emulator leaves it out.

A policy can require by this condition key that objects are encrypted with a certain KMS key.
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
"""

from collections.abc import Mapping
from typing import Any

from ministack.core import iam_actions

from local.emulation import wrap_function

KMS_KEY_HEADER = "x-amz-server-side-encryption-aws-kms-key-id"


def install() -> None:
    """Replace `iam_actions._s3_object_context`."""
    wrap_function(iam_actions, "_s3_object_context", _add_kms_key)


def _add_kms_key(
    original: Any, action: str, query: Mapping[str, Any], path: str, headers: Mapping[str, str]
) -> dict[str, Any]:
    keys: dict[str, Any] = original(action, query, path, headers)
    kms_key = headers.get(KMS_KEY_HEADER)
    return {**keys, f"s3:{KMS_KEY_HEADER}": kms_key} if kms_key and action == "s3:PutObject" else keys
