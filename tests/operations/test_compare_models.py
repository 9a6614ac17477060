"""Tests of the comparison of two models, in which a cheaper one must agree sufficiently with the current one."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from handlers.common.aws.retry import RetryTiming
from handlers.common.bedrock.model_families import HAIKU, SONNET
from local.emulation.bedrock.converse_service import read_lines, serve
from local.emulation.bedrock.meeting_answers import parse_meeting
from operations.compare_models import COUNT, main
from tests.credentials import credentials

LINE = f'      actionItems: "{HAIKU}"'


ERRORS = {
    "denied": "AccessDeniedException",
    "throttled": "ThrottlingException",
    "unavailable": "ServiceUnavailableException",
}


class Models:
    """Bedrock with the answers of the scripted model. A model that is named after a fault shows this fault."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def client(self, service: str, **how: Any) -> Any:
        """Return a boto3 client whose requests are answered here."""
        make: Any = boto3.client
        result = make(service, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x", **how)
        result.converse = self._converse
        return result

    def _converse(self, modelId: str, **request: Any) -> dict[str, Any]:  # noqa: N803 - boto3's name
        self.asked.append(modelId)
        if modelId in ERRORS:
            raise ClientError({"Error": {"Code": ERRORS[modelId], "Message": ""}}, "Converse")
        meeting = parse_meeting(read_lines(request))
        assert meeting is not None
        answer = meeting.answer()
        if modelId == "forgetful":
            del answer["items"][1::2]
        if modelId == "foreign":
            answer["part"] = "another"
        if modelId == "invented" and answer["items"]:
            answer["items"][0]["quote"] = "The moon was bought by a ferry company."
        return {
            "output": {"message": {"content": [{"text": json.dumps(answer)[modelId == "malformed" :]}]}},
            "usage": {"inputTokens": 7, "outputTokens": 1},
            "stopReason": "guardrail_intervened" if modelId == "guarded" else "end_turn",
        }


@pytest.fixture
def _reached(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Point boto3 to the scripted model, like an operator would do in a terminal."""
    credentials(monkeypatch)
    with serve() as port:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", f"http://127.0.0.1:{port}")
        yield


def compare(*arguments: str, **how: Any) -> tuple[int, list[str]]:
    output: list[str] = []
    status = main(list(arguments), print_line=output.append, **how)
    return status, "\n".join(output).split("\n")


@pytest.mark.usefixtures("_reached")
def test_the_setting_to_commit_is_printed_if_two_models_agree() -> None:
    status, output = compare()
    assert status == 0
    assert output[-4:] == ["config:", "  polyphony:meetings:", "    models:", LINE]
    assert sum(line.startswith(("0", "10-")) for line in output) == COUNT
    assert any(line.startswith("all  ") and "1.000" in line for line in output)
    assert "no evidence" in output[2], "it says where the answers come from"
    assert "If Bedrock gives the same result" in output[-5]


def candidate(fault: str, *arguments: str, **how: Any) -> tuple[int, list[str]]:
    """Compare with a model that has a fault."""
    return compare("--candidate", fault, *arguments, client=Models().client, **how)


def test_a_model_that_misses_items_does_not_pass() -> None:
    status, output = candidate("forgetful")
    assert status == 1
    assert LINE not in output
    assert output[-1] == f"Keep meetings.models.actionItems at {SONNET}."
    assert "not passed" in output[-2]
    assert candidate("forgetful", "--threshold", "0.5")[0] == 0


@pytest.mark.parametrize("fault", ["malformed", "foreign", "guarded"])
def test_a_model_without_a_usable_answer_has_found_nothing(fault: str) -> None:
    status, output = candidate(fault, "--count", "2")
    assert status == 1
    assert "transcripts without a usable answer: reference 0, candidate 2" in output


def test_invented_quotes_are_counted_and_their_items_dropped() -> None:
    status, output = candidate("invented", "--count", "2", "--threshold", "0.9")
    assert status == 1
    assert "invented quotes: reference 0, candidate 2" in output


@pytest.mark.parametrize(
    ("fault", "cause"), [("denied", "refused"), ("throttled", "throttled"), ("unavailable", "unavailable")]
)
def test_a_model_that_does_not_answer_ends_the_comparison(
    fault: str, cause: str, capsys: pytest.CaptureFixture[str]
) -> None:
    at = [0.0]

    def wait(seconds: float) -> None:
        at[0] += 20 * seconds

    assert candidate(fault, timing=RetryTiming(lambda: at[0], wait, lambda: 1.0))[0] == 2
    assert cause in capsys.readouterr().err


@pytest.mark.usefixtures("_reached")
def test_transcripts_without_action_items_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = [{"speaker": "spk_0", "startMs": 0, "endMs": 1, "text": "Good morning."}]
    for name, lines in (("one", output), ("two", [])):
        whole = {"schemaVersion": 1, "language": "en-US", "durationMs": 1, "said": lines}
        (tmp_path / f"{name}.json").write_text(json.dumps(whole))
    assert compare("--transcripts", str(tmp_path), "--count", "2")[0] == 2
    assert "nothing to compare" in capsys.readouterr().err


def test_missing_transcripts_or_a_missing_region_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "one.json").write_text('{"said": "canary"}')
    for arguments, expected in (
        (["--transcripts", str(tmp_path)], "and --count is"),
        (["--count", "99"], "and --count is"),
        (["--count", "0"], "and --count is"),
        (["--transcripts", str(tmp_path / "bad"), "--count", "1"], "is not a transcript"),
        ([], "Check credentials, Region and network"),
    ):
        assert compare(*arguments)[0] == 2
        error = capsys.readouterr().err
        assert expected in error
        assert "canary" not in error


def test_a_threshold_is_a_share() -> None:
    with pytest.raises(SystemExit) as left:
        compare("--threshold", "80")
    assert left.value.code == 2


def test_answers_of_bedrock_are_evidence() -> None:
    models = Models()
    status, output = compare(client=models.client)
    assert status == 0
    assert "asked at https://bedrock-runtime.us-east-1.amazonaws.com" in output
    assert "Commit this to the stack file:" in output
    assert models.asked == [SONNET, HAIKU] * COUNT
