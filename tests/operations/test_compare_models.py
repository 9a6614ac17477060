"""Tests of the command that compares two models by the action items that they find in transcripts of meetings.

The candidate, a cheaper model, passes if it agrees sufficiently with the reference, which is the current model.
"""

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from handlers.common.bedrock import HAIKU, SONNET, TokenUsage
from handlers.meetings.bedrock_summarize.models import ActionItem, TranscriptQuote
from handlers.meetings.bedrock_summarize.questions import LocatedItem
from local.emulation.bedrock.converse_service import read_json_lines
from local.emulation.bedrock.scripted_answers import parse_meeting
from operations.compare_models import compute_agreement, compute_cost, main

COUNT = 10
"""Number of transcripts."""
EXPECTED_SETTING = f'      actionItems: "{HAIKU}"'


def create_client(service: str, **options: Any) -> Any:
    """Return a client of Bedrock whose operation `converse` is replaced."""
    keys: Any = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    client: Any = boto3.client(service, region_name="us-east-1", **keys, **options)  # type: ignore[call-overload]
    client.converse = converse
    return client


def converse(modelId: str, **request: Any) -> dict[str, Any]:  # noqa: N803 - boto3's name
    """Answer as the local platform's scripted model does, unless the model id names one of these faults."""
    if modelId == "denied":
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": ""}}, "Converse")
    meeting = parse_meeting(read_json_lines(request))
    assert meeting is not None
    answer = meeting.answer()
    if modelId == "forgetful":
        del answer["items"][1::2]
    if modelId == "invented" and answer["items"]:
        answer["items"][0]["quote"] = "The moon was bought by a ferry company."
    text = json.dumps(answer)
    if modelId == "malformed":
        text = text[1:]
    return {
        "output": {"message": {"content": [{"text": text}]}},
        "usage": {"inputTokens": 7, "outputTokens": 1},
        "stopReason": "end_turn",
    }


def compare(*arguments: str) -> tuple[int, list[str]]:
    """Run the command. Return its exit status and the printed lines."""
    output: list[str] = []
    status = main(list(arguments), print_line=output.append, client=create_client)
    return status, "\n".join(output).split("\n")


def test_the_setting_to_commit_is_printed_if_two_models_agree() -> None:
    status, output = compare()
    assert status == 0
    assert output[0] == "asked at https://bedrock-runtime.us-east-1.amazonaws.com"
    reference, candidate = output[1:3]
    assert reference.startswith(f"reference {SONNET}: items ")
    assert candidate.startswith(f"candidate {HAIKU}: items ")
    assert reference.endswith(f"tokens in {7 * COUNT}, tokens out {COUNT}, USD {(7 * 2.2 + 11) * COUNT / 1e6:.5f}")
    assert candidate.endswith(f"tokens in {7 * COUNT}, tokens out {COUNT}, USD {(7 * 0.11 + 0.55) * COUNT / 1e6:.5f}")
    transcript_lines = [line for line in output if line.startswith(("0", "10-"))]  # their names begin with 01- to 10-
    assert len(transcript_lines) == COUNT
    assert all(line.endswith(": agreement 1.000") for line in transcript_lines)
    assert output[-6:-4] == ["agreement 1.000, threshold 0.800: passed", "Commit this to the stack file:"]
    assert output[-4:] == ["config:", "  polyphony:meetings:", "    models:", EXPECTED_SETTING]


def test_a_model_that_misses_items_passes_only_with_a_lower_threshold() -> None:
    status, output = compare("--candidate", "forgetful")
    assert status == 1
    assert EXPECTED_SETTING not in output
    assert output[-1] == f"Keep meetings.models.actionItems at {SONNET}."
    assert "not passed" in output[-2]
    assert compare("--candidate", "forgetful", "--threshold", "0.5")[0] == 0
    with pytest.raises(SystemExit):
        compare("--candidate", "forgetful", "--threshold", "80")


@pytest.mark.parametrize(
    ("fault", "number"), [("malformed", "without a usable answer 10,"), ("invented", "invented quotes 8,")]
)
def test_unusable_answers_and_items_with_invented_quotes_are_counted_and_dropped(fault: str, number: str) -> None:
    status, output = compare("--candidate", fault, "--threshold", "0.9")
    assert status == 1
    assert [number in line for line in output[1:3]] == [False, True]


def test_a_failing_model_and_files_without_action_items_are_errors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare("--candidate", "denied")[0] == 2
    assert "AccessDeniedException" in capsys.readouterr().err
    for transcript, expected in (
        ({"schemaVersion": 1, "language": "en-US", "durationMs": 1, "said": []}, "nothing to compare"),
        ({"said": "canary"}, "is no transcript"),
    ):
        (tmp_path / "one.json").write_text(json.dumps(transcript))
        assert compare("--transcripts", str(tmp_path))[0] == 2
        error = capsys.readouterr().err
        assert expected in error
        assert "canary" not in error


def located(first: int, last: int, owner: str | None = "Anna", piece: int = 0) -> LocatedItem:
    """Return an action item whose quote is the words `first` to `last` of a piece of the transcript."""
    item = ActionItem(text="Do it", owner=owner, quote=TranscriptQuote(text="canary", start_ms=0))
    return LocatedItem(item, (piece, first), (piece, last))


@pytest.mark.parametrize(
    ("reference", "candidate", "expected"),
    [
        pytest.param([], [], 1, id="no items"),
        pytest.param([located(0, 5)], [located(5, 9)], 1, id="one common word"),
        pytest.param([located(0, 5)], [located(6, 9)], 0, id="no common word"),
        pytest.param([located(0, 5)], [located(0, 5, piece=1)], 0, id="another piece"),
        pytest.param([located(0, 5)], [located(0, 5, "Bob")], 0, id="another owner"),
        pytest.param([located(0, 5)], [located(0, 5, "Anna Berg")], 1, id="longer name"),
        pytest.param([located(0, 5)], [located(0, 2), located(3, 5)], 2 / 3, id="an item counts once"),
    ],
)
def test_items_are_the_same_if_their_words_overlap_and_their_owners_match(
    reference: list[LocatedItem], candidate: list[LocatedItem], expected: float
) -> None:
    assert compute_agreement([(reference, candidate)]) == pytest.approx(expected)


def test_agreement_is_computed_over_all_transcripts() -> None:
    item = [located(0, 1)]
    assert compute_agreement([(item, item), (item, []), ([], [])]) == pytest.approx(2 / 3)


def test_each_kind_of_token_has_its_price_and_another_model_none() -> None:
    kinds = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
    tokens = TokenUsage(**dict.fromkeys(kinds, 1_000_000))
    assert compute_cost(SONNET, tokens) == pytest.approx(2.20 + 11.00 + 0.11 + 2.75)
    assert compute_cost("us.anthropic.claude-opus-5-5", tokens) is None
