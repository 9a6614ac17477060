"""Analysis of a window, a section of a transcript: one model request with memories of other windows.

The findings (claims and clips) of a window come from one answer of the model, even if the window's message is repeated.
They are stored, and remembered for other windows.
"""

import json
from typing import Any
from unittest.mock import Mock

import pytest

from handlers.livestream.fact_check_agent import handler
from handlers.livestream.transcript import Cue
from tests.handlers.livestream.broadcast import CUES, Broadcast, claim, webvtt
from tests.handlers.livestream.fakes import answer
from tests.handlers.livestream.harness import ANN, error

FERRIES = claim("We ran 600 ferries")
CLIP = {"startMs": 0, "endMs": 12_000, "title": "canary", "reason": "canary"}


def log_lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_window_is_analyzed_and_its_findings_are_stored_and_remembered(
    broadcast: Broadcast, capsys: pytest.CaptureFixture[str]
) -> None:
    [window, _] = broadcast.queue_windows()
    broadcast.api.bedrock.script = [answer(FERRIES, claim("we sold ferries"), {}, clips=(CLIP,))]
    assert broadcast.analyze(window) == []
    [listed_claim] = broadcast.list_findings()
    listed = [listed_claim[name] for name in ("quote", "verdict", "startMs")]
    assert listed == [FERRIES["quote"], "unverified", 0]
    [listed_clip] = broadcast.list_findings("clips")
    assert (listed_clip["startMs"], listed_clip["endMs"], listed_clip["title"]) == (0, 12_000, "canary")
    [event] = broadcast.api.memory.events
    assert (event["actorId"], event["sessionId"], event["clientToken"]) == (ANN, broadcast.episode_id, window.window_id)
    window_text, findings = (turn["conversational"]["content"]["text"] for turn in event["payload"])
    assert window_text.startswith("Part 1 of 2 of the broadcast:\nWe ran 600 ferries last spring.")
    assert "annual report" not in window_text, "the overlap is remembered with the next window"
    claim_line, clip_line = (json.loads(line) for line in findings.split("\n"))
    assert (claim_line["quote"], clip_line["endMs"]) == (FERRIES["quote"], 12_000)
    assert "we sold ferries" not in findings, "a claim without a valid quote must not be remembered"
    assert broadcast.analyze(window) == []
    assert len(broadcast.api.bedrock.requests) == 1, "a finished window must not be analyzed again"
    logged = {line["message"]: line for line in log_lines(capsys)}
    assert [logged["window_checked"][name] for name in ("claims", "clips", "dropped")] == [1, 1, 2]
    assert ("window_already_done" in logged, "window_failed" in logged) == (True, False)


def test_the_second_window_is_asked_with_the_memory_of_the_first(broadcast: Broadcast) -> None:
    first, second = broadcast.queue_windows()
    broadcast.api.bedrock.script = [
        answer(),
        answer(claim("410 ferries. That", verdict="refuted", sources=["1#ab", "cue-0"]), FERRIES),
    ]
    assert (broadcast.analyze(first), broadcast.state) == ([], ("analyzing", None))
    assert (broadcast.analyze(second), broadcast.state) == ([], ("analyzed", None))
    _, *blocks = (block["text"] for block in broadcast.api.bedrock.requests[-1]["messages"][0]["content"])
    memory, *cues = (json.loads(line) for block in blocks for line in block.split("\n"))
    assert memory["text"].startswith("Nothing to check, and nothing to cut. Part 1 of 2")
    assert [cue["id"] for cue in cues] == ["cue-1", "cue-2"]
    [listed_claim] = broadcast.list_findings()
    assert (listed_claim["verdict"], listed_claim["sources"]) == ("refuted", ["1#ab"])


@pytest.mark.parametrize("calls_before_crash", range(6))
def test_after_a_crash_a_window_has_the_findings_of_one_answer_only(
    broadcast: Broadcast, calls_before_crash: int
) -> None:
    """The repeated message may cause a second request, which the model answers differently.

    The first invocation fails at each of its DynamoDB calls in turn.
    """
    [window] = broadcast.queue_windows(CUES[:1])
    broadcast.api.bedrock.script = [
        answer(FERRIES, claim("last spring"), clips=(CLIP,)),
        answer(claim("600 ferries last")),
    ]
    calls = iter(range(calls_before_crash))

    def crash_after_calls(**_: Any) -> None:
        if next(calls, None) is None:
            raise error("InternalServerError")

    events = broadcast.api.dynamodb.meta.events
    events.register("before-call.dynamodb", crash_after_calls)
    failed = broadcast.analyze(window)
    events.unregister("before-call.dynamodb", crash_after_calls)
    assert failed == [0]
    assert broadcast.analyze(window) == []
    found = set(broadcast.quotes), len(broadcast.list_findings("clips"))
    assert found in (({"We ran 600 ferries", "last spring"}, 1), ({"600 ferries last"}, 0))
    assert (broadcast.state, len(broadcast.api.memory.events)) == (("analyzed", None), 1)


@pytest.mark.parametrize(
    ("entry", "reason", "requests"),
    [
        ("I would rather not, canary.", "unusable_answer", 2),
        ((answer(FERRIES), "max_tokens"), "unusable_answer", 2),
        ((answer(FERRIES), "content_filtered"), "filtered", 1),
        ((answer(FERRIES), "model_context_window_exceeded"), "too_large", 1),
    ],
)
def test_a_window_without_a_usable_answer_is_stored_as_failed(
    broadcast: Broadcast,
    capsys: pytest.CaptureFixture[str],
    entry: str | tuple[str, str],
    reason: str,
    requests: int,
) -> None:
    """An alarm counts the log lines `window_failed`."""
    [window] = broadcast.queue_windows(CUES[:1])
    broadcast.api.bedrock.script = [entry]
    assert broadcast.analyze(window) == []
    assert (broadcast.failures, len(broadcast.api.bedrock.requests)) == ([reason], requests)
    assert (broadcast.state, broadcast.api.memory.events) == (("failed", "ANALYSIS_FAILED"), [])
    lines = log_lines(capsys)
    assert [line["cause"] for line in lines if line["message"] == "window_failed"] == [reason]
    names = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
    usage = [tuple(line[name] for name in names) for line in lines if line["message"] == "model_answered"]
    assert usage == [(100, 10, 1_000, 0)] * requests, "each answer is billed, usable or not"


def test_after_an_error_of_a_service_sqs_delivers_the_message_again(
    broadcast: Broadcast, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = broadcast.queue_windows()
    broadcast.api.bedrock.script = [error("ThrottlingException"), answer(FERRIES)]
    assert broadcast.analyze(first, second, "{}") == [0, 2]
    broadcast.api.memory.create_error = error("ThrottledException", "CreateEvent")
    assert broadcast.analyze(first) == [0]
    assert broadcast.quotes == [], "findings must not be stored before the memory has the window"
    broadcast.api.memory.create_error = None
    with monkeypatch.context() as patched:
        patched.setattr(handler._agent().s3, "get_object", Mock(side_effect=error("AccessDenied")))
        assert broadcast.analyze(first) == [0]
    assert broadcast.analyze(first) == []
    assert broadcast.quotes == [FERRIES["quote"]]


def test_the_largest_answer_fits_into_one_item(broadcast: Broadcast) -> None:
    """Emoji have four bytes. The texts of the model, the quotes and the speakers have their maximum length."""
    long = "\U0001f600" * 2_000
    cues = tuple(
        Cue(at * 12_000, at * 12_000 + 12_000, f"ferry {at:02}{long[:1_900]}", f"{at:02}{long[:98]}")
        for at in range(50)
    )
    broadcast.divide(broadcast.upload(webvtt(cues)))
    window = broadcast.receive_all()[0].model_copy(update={"window_characters": 100_000})
    claims = [
        claim(f"ferry {at:02}", statement=long, explanation=long, sources=[f"cue-{at}" for at in range(20)])
        for at in range(50)
    ]
    clips = [{"startMs": at * 12_000, "endMs": at * 12_000 + 12_000, "title": long, "reason": long} for at in range(20)]
    broadcast.api.bedrock.script = [answer(*claims, clips=tuple(clips))]
    assert broadcast.analyze(window) == []
    assert (len(broadcast.list_findings(limit=100)), len(broadcast.list_findings("clips"))) == (50, 20)
    [item] = [item for item in broadcast.api.stored_items() if item["sk"].startswith("WINDOW#")]
    assert 340_000 < len(json.dumps(item, ensure_ascii=False).encode()) < 400_000
