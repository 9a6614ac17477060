"""What the package offers, and what a program that uses it has to have."""

import subprocess
import sys

import clients.meetings
from local import ROOT

RUNTIME_ONLY = ("aws_lambda_powertools", "jwt", "cryptography", "components", "local")
"""What the backend's functions or the deployment need, and a client has no use for."""


def test_the_public_names_are_these() -> None:
    assert clients.meetings.__all__ == sorted(clients.meetings.__all__)
    assert set(clients.meetings.__all__) == {
        *("MeetingsClient", "NewMeeting", "Uploaded", "MeetingList"),
        *("MeetingsError", "ExchangeFailed", "ExchangeUnavailable", "RequestRefused", "TokenRefused", "UserChanged"),
        *(
            "ChunkRefused",
            "UploadInterrupted",
            "MeetingFailed",
            "MeetingIncomplete",
            "MeetingUnknown",
            "MeetingUnreadable",
        ),
        *("NotMade", "NotReadyInTime"),
        *("MeetingRecord", "MeetingStatus", "MeetingReason", "Stage", "WrongChunk", "ChunkProblem"),
        *("Summary", "ActionItem", "TranscriptQuote", "SummaryTokens", "Transcript", "TranscriptSegment"),
    }


def test_the_client_loads_nothing_of_the_functions_runtime() -> None:
    code = "import sys, clients.meetings; print(*(name.partition('.')[0] for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S603
    assert not set(RUNTIME_ONLY) & set(done.stdout.split())
