"""Tests of the guide (docs/meetings-client.md): its examples run, and it lists every error."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import clients.meetings
from clients.meetings import MeetingsError
from handlers.common.identity.user_ids import derive_user_id
from handlers.meetings.s3_keys import MeetingId, Recording
from local import ROOT
from tests.clients.meetings.fake_backend import Backend
from tests.clients.meetings.test_meeting_queries import SUMMARY, TRANSCRIPT

GUIDE = (ROOT / "docs" / "meetings-client.md").read_text(encoding="utf-8")
CODE_BLOCKS = re.findall(r"^```python\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)


def test_the_example_of_the_guide_runs(
    backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recording").mkdir()
    for name in ("00.webm", "01.webm"):
        (tmp_path / "recording" / name).write_bytes(name.encode())
    backend.now = datetime.now(UTC)  # the client of the example uses the machine's clock
    names: dict[str, Any] = {"api_url": backend.url, "get_token": backend.issue_token}
    connect, upload, *read = CODE_BLOCKS
    for code in (connect, upload):
        exec(compile(code, "docs/meetings-client.md", "exec"), names)  # noqa: S102 - the project's own page
    process_meeting(backend, names["uploaded"])
    for code in read:
        exec(compile(code, "docs/meetings-client.md", "exec"), names)  # noqa: S102
    assert capsys.readouterr().out.splitlines() == [
        "They met.",
        "Ann Send it 500",
        "2026-01-31T09:30:00.000Z Weekly ready",
    ]


def process_meeting(backend: Backend, uploaded: clients.meetings.Uploaded) -> None:
    """Write the record, the summary and the transcript of an uploaded meeting, as the backend's workflow does."""
    user = derive_user_id(backend.provider.issuer, "ann")
    recording = Recording(MeetingId(user, uploaded.meeting_id), uploaded.content)
    backend.put_object(recording.summary_key, SUMMARY.model_dump_json(by_alias=True).encode())
    backend.put_object(recording.transcript_key, TRANSCRIPT.model_dump_json(by_alias=True).encode())
    backend.add_meeting(
        user,
        meetingId=uploaded.meeting_id,
        content=uploaded.content,
        startedAt="2026-01-31T09:30:00.000Z",
        participants=("Ann", "Bob"),
        tags=("team",),
        summaryKey=recording.summary_key,
        transcriptKey=recording.transcript_key,
    )


def test_the_guide_lists_every_error() -> None:
    exported = {name: getattr(clients.meetings, name) for name in clients.meetings.__all__}
    errors = {name for name, item in exported.items() if isinstance(item, type) and issubclass(item, MeetingsError)}
    documented_errors = set(re.findall(r"^\| `(\w+)` \|", GUIDE, re.MULTILINE))
    assert documented_errors == errors - {"MeetingsError"}
