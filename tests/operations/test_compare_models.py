"""A cheaper model serves only after it has agreed enough with the one that serves now."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from handlers.common.patience import Timing
from handlers.meetings.summary_environment import HAIKU, SONNET
from handlers.meetings.transcript import Transcript
from local.services.bedrock import serve
from local.services.bedrock_faults import Fault, script_of
from local.services.bedrock_meetings import meeting_of
from operations.compare_models import COUNT, TRANSCRIPTS, main
from tests.credentials import credentials
from tests.local.services.threads import served

LINE = f'      actionItems: "{HAIKU}"'


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with served(serve(), "bedrock") as found:
        yield found


@pytest.fixture
def _reached(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3 is led to the local model as somebody at a terminal would lead it."""
    credentials(monkeypatch)
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", f"http://127.0.0.1:{port}")


reached = pytest.mark.usefixtures("_reached")


def compare(*arguments: str, timing: Timing | None = None) -> tuple[int, list[str]]:
    said: list[str] = []
    status = main(list(arguments), timing=timing, say=said.append)
    return status, "\n".join(said).split("\n")


@reached
def test_two_models_that_agree_are_a_line_to_commit() -> None:
    status, said = compare()
    assert status == 0
    assert said[-4:] == ["config:", "  polyphony:meetings:", "    models:", LINE]
    assert sum(line.startswith(("0", "10-")) for line in said) == COUNT
    assert any(line.startswith("all  ") and "1.000" in line for line in said)
    assert "no evidence" in said[2], "it says where the answers come from"
    assert "Once Bedrock says the same" in said[-5]


@reached
def test_a_model_that_finds_too_little_does_not_pass() -> None:
    status, said = compare("--candidate", f"test.{Fault.FORGETFUL}-v1:0")
    assert status == 1
    assert LINE not in said
    assert said[-1] == f"Keep meetings.models.actionItems at {SONNET}."
    assert "not passed" in said[-2]
    assert compare("--candidate", f"test.{Fault.FORGETFUL}-v1:0", "--threshold", "0.5")[0] == 0


@reached
@pytest.mark.parametrize(
    ("word", "says"),
    [
        (Fault.MALFORMED, "transcripts without a usable answer: reference 0, candidate 2"),
        (Fault.GUARDED, "transcripts without a usable answer: reference 0, candidate 2"),
        (Fault.INVENTED, "invented quotes: reference 0, candidate 2"),
    ],
)
def test_an_answer_of_no_use_found_nothing_and_is_counted(word: Fault, says: str) -> None:
    status, said = compare("--candidate", f"test.{word}-v1:0", "--count", "2", "--threshold", "0.9")
    assert status == 1
    assert says in said


@reached
@pytest.mark.parametrize(("word", "cause"), [(Fault.DENIED, "refused"), (Fault.THROTTLED, "throttled")])
def test_a_model_that_does_not_answer_decides_nothing(
    word: Fault, cause: str, capsys: pytest.CaptureFixture[str]
) -> None:
    at = [0.0]

    def wait(seconds: float) -> None:
        at[0] += 20 * seconds

    status, _ = compare("--candidate", f"test.{word}-v1:0", timing=Timing(lambda: at[0], wait, lambda: 1.0))
    assert status == 2
    assert cause in capsys.readouterr().err


@reached
def test_where_there_is_nothing_to_find_nobody_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = [{"speaker": "spk_0", "startMs": 0, "endMs": 1, "text": "Good morning."}]
    for name, lines in (("one", said), ("two", [])):
        whole = {"schemaVersion": 1, "language": "en-US", "durationMs": 1, "said": lines}
        (tmp_path / f"{name}.json").write_text(json.dumps(whole))
    assert compare("--transcripts", str(tmp_path), "--count", "2")[0] == 2
    assert "nothing to agree on" in capsys.readouterr().err


def test_without_transcripts_or_a_region_it_cannot_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "one.json").write_text('{"said": "canary"}')
    for arguments, expected in (
        (["--transcripts", str(tmp_path)], "give --count"),
        (["--count", "99"], "give --count"),
        (["--count", "0"], "give --count"),
        (["--transcripts", str(tmp_path / "bad"), "--count", "1"], "is no transcript"),
        ([], "check credentials, region and network"),
    ):
        assert compare(*arguments)[0] == 2
        error = capsys.readouterr().err
        assert expected in error
        assert "canary" not in error


def test_a_threshold_is_a_share() -> None:
    with pytest.raises(SystemExit) as left:
        compare("--threshold", "80")
    assert left.value.code == 2


def test_bedrock_itself_is_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    made: Any = boto3.client
    asked: list[dict[str, Any]] = []

    def client(service: str, **how: Any) -> Any:
        found = made(service, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x", **how)

        def converse(**request: Any) -> dict[str, Any]:
            asked.append(request)
            blocks = request["messages"][0]["content"]
            lines = [json.loads(line) for block in blocks for line in block.get("text", "").split("\n")]
            meeting = meeting_of(lines)
            assert meeting is not None
            return {
                "output": {"message": {"content": [{"text": json.dumps(meeting.answer())}]}},
                "usage": {"inputTokens": 7, "outputTokens": 1},
                "stopReason": "end_turn",
            }

        monkeypatch.setattr(found, "converse", converse)
        return found

    said: list[str] = []
    assert main([], client=client, say=said.append) == 0
    assert "asked at https://bedrock-runtime.us-east-1.amazonaws.com\n" in said[0]
    assert "Commit this to the stack file:" in said
    assert [one["modelId"] for one in asked] == [SONNET, HAIKU] * COUNT


def test_the_samples_are_transcripts() -> None:
    files = sorted(TRANSCRIPTS.glob("*.json"))
    assert len(files) == COUNT
    for file in files:
        one = Transcript.model_validate_json(file.read_bytes())
        assert all(before.end_ms <= after.start_ms for before, after in zip(one.said, one.said[1:], strict=False))
        assert one.said[-1].end_ms <= one.duration_ms
        text = "\n".join(said.text for said in one.said)
        assert script_of("", text) is None, "the local model would fail at a word of it"
