"""The local model and meetings: what it says follows from what was said, and it fails as a transcript tells it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.config import Config

from handlers.common.converse import BedrockModel, Guardrail, Manner
from handlers.common.logging import EventLog
from handlers.common.parallel import Parallel
from handlers.common.patience import Timing
from handlers.meetings.interview import Interviewer
from handlers.meetings.summarizing import Reading, Summarizer
from handlers.meetings.summary import Summary
from handlers.meetings.summary_environment import SONNET
from handlers.meetings.summary_event import SummaryResult
from handlers.meetings.summary_faults import ModelBusy, ModelRefused, SummaryFailed, SummaryUnusable
from local.services.bedrock import serve
from local.services.bedrock_faults import Fault
from tests.handlers.meetings.spoken import turns
from tests.handlers.meetings.summary_stage import REMAINING_MS, Stage
from tests.local.services.threads import PATIENCE, served

REPORT = ("spk_1", "Anna will send the report by Friday.")


@dataclass
class Hall:
    """A client of the service, and its clock."""

    client: Any
    clock: list[float]


@contextmanager
def hall() -> Iterator[Hall]:
    clock = [0.0]
    with served(serve(now=lambda: clock[0]), "bedrock") as port:
        make: Any = boto3.client
        client = make(
            "bedrock-runtime",
            endpoint_url=f"http://127.0.0.1:{port}",
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"mode": "standard", "total_max_attempts": 1}, read_timeout=PATIENCE),
        )
        yield Hall(client, clock)
        client.close()


@pytest.fixture(scope="module")
def shared() -> Iterator[Hall]:
    with hall() as found:
        yield found


@dataclass
class Scene:
    """The summary on top of the local model."""

    hall: Hall
    stage: Stage = field(default_factory=Stage)
    waits: list[float] = field(default_factory=list)

    def play(self, *said: tuple[str, str], model: str = SONNET, characters: int = 100_000, **how: Any) -> SummaryResult:
        log = EventLog("INFO")
        models = {model: BedrockModel(self.hall.client, model)}
        interviewer = Interviewer(models, 50, log, Timing(lambda: 0.0, self.waits.append, lambda: 1.0))
        reading = Reading(model, model, Manner(**{"max_tokens": 4_000, **how}), characters, 100)
        made = Summarizer(self.stage.drawer, self.stage.meter, interviewer, reading, Parallel(1), log)
        return made.summarize(self.stage.transcribed(turns(*said)), REMAINING_MS)

    @property
    def summary(self) -> Summary:
        return self.stage.summary

    @property
    def items(self) -> list[tuple[str, str | None, str | None]]:
        return [(one.text, one.owner, one.due) for one in self.summary.action_items]


@pytest.fixture
def scene(shared: Hall) -> Scene:
    return Scene(shared)


def test_a_summary_tells_who_spoke_and_what_was_said(scene: Scene) -> None:
    scene.play(("spk_0", "Good morning."), ("spk_1", "The ferry to the island is too expensive for us."))
    assert scene.summary.summary == (
        "spk_0, spk_1 spoke 2 times. It began with: Good morning. "
        "At most was said here: The ferry to the island is too expensive for us."
    )
    other = Scene(scene.hall)
    other.play(("spk_0", "Something else."))
    assert other.summary.summary == "spk_0 spoke 1 times. It began with: Something else."


@pytest.mark.parametrize(
    ("said", "item"),
    [
        ("Anna will send the report by Friday.", ("Send the report", "Anna", "by Friday")),
        ("Good. So, Anna will send the report.", ("Send the report", "Anna", None)),
        ("I will book a room before the end of May.", ("Book a room", "spk_0", "before the end of May")),
        ("Fine, I'll book a room.", ("Book a room", "spk_0", None)),
        ("Anna Berg has to call the bank until Monday.", ("Call the bank", "Anna Berg", "until Monday")),
        ("Bob is going to paint it!", ("Paint it", "Bob", None)),
        ("Bob must paint it.", ("Paint it", "Bob", None)),
        ("Maria, could you call them again?", ("Call them again", "Maria", None)),
        ("Thanks. Maria, would you please call them by Monday?", ("Call them", "Maria", "by Monday")),
    ],
)
def test_a_promise_is_an_action_item(scene: Scene, said: str, item: tuple[str, str | None, str | None]) -> None:
    assert scene.play(("spk_0", said)).action_items == 1
    assert scene.items == [item]
    assert scene.summary.action_items[0].quote.text in said


@pytest.mark.parametrize(
    "said",
    [
        "It will rain by noon.",
        "We will see.",
        "Anna will not send it.",
        "Anna will be there.",
        "Anna sent the report.",
        "Will Anna send it?",
    ],
)
def test_what_is_no_promise_is_none(scene: Scene, said: str) -> None:
    assert scene.play(("spk_0", said)).action_items == 0


def test_the_transcript_is_read_from_the_cache_for_the_second_task() -> None:
    said = [("spk_0", "We have a great many words to say about everything that matters.")] * 40
    with hall() as own:
        scene = Scene(own)
        result = scene.play(*said)
        assert result.cache_read_tokens > result.input_tokens
        assert result.cache_write_tokens < result.cache_read_tokens * 1.2
        own.clock[0] += 301
        later = Scene(own).play(*said)
        assert later.cache_write_tokens == result.cache_write_tokens


def test_a_long_meeting_is_put_together(scene: Scene) -> None:
    said = [(f"spk_{at % 2}", f"Point {at} is here. Anna will do thing number{at} soon.") for at in range(40)]
    assert scene.play(*said, characters=1_000).action_items == 40
    assert "Point 0 is here" in scene.summary.summary
    assert "Point 20 is here" in scene.summary.summary


@pytest.mark.parametrize("said", ["We were throttled 2 times.", "Throttled again."])
def test_throttling_that_passes_is_waited_out_and_what_does_not_is_the_workflows(scene: Scene, said: str) -> None:
    assert scene.play(("spk_0", said), REPORT).action_items == 1
    assert scene.waits == [0.5, 1.0]


@pytest.mark.parametrize(
    ("said", "kind", "cause"),
    [
        ("It was denied.", ModelRefused, "refused"),
        ("A guarded secret.", ModelRefused, "guardrail"),
        ("It is malformed.", SummaryUnusable, "unusable_answer"),
        ("It is foreign.", SummaryUnusable, "unusable_answer"),
        ("It is truncated.", SummaryUnusable, "unusable_answer"),
    ],
)
def test_what_does_not_pass_has_a_name(scene: Scene, said: str, kind: type[SummaryFailed], cause: str) -> None:
    with pytest.raises(kind, match=f"^{cause}$"):
        scene.play(("spk_0", said), REPORT, guardrail=Guardrail("abc123", "1"))


def test_a_model_that_stays_throttled_is_busy(shared: Hall) -> None:
    stage = Stage()
    log = EventLog("INFO")
    timing = Timing(lambda: stage.at, stage._wait, lambda: 1.0)
    interviewer = Interviewer({"test.throttled": BedrockModel(shared.client, "test.throttled")}, 50, log, timing)
    reading = Reading("test.throttled", "test.throttled", Manner(4_000), 10_000, 100)
    made = Summarizer(stage.drawer, stage.meter, interviewer, reading, Parallel(1), log)
    with pytest.raises(ModelBusy, match=r"^throttled$"):
        made.summarize(stage.transcribed(turns(REPORT)), REMAINING_MS)


@pytest.mark.parametrize("word", [Fault.MALFORMED, Fault.TRUNCATED, Fault.REPEATING, Fault.FOREIGN])
def test_an_answer_that_cannot_be_used_is_repaired_once(scene: Scene, word: Fault) -> None:
    assert scene.play(("spk_0", f"It was {word} 1 times here."), REPORT).action_items == 1


@pytest.mark.parametrize(
    ("word", "left", "dropped"),
    [(Fault.FENCED, 2, 0), (Fault.INVENTED, 1, 1), (Fault.OVERCONFIDENT, 1, 0), (Fault.FORGETFUL, 1, 0)],
)
def test_an_answer_is_believed_as_far_as_it_is_true(scene: Scene, word: Fault, left: int, dropped: int) -> None:
    found = scene.play(("spk_0", f"It was {word} here."), REPORT, ("spk_0", "I will book a room."))
    assert (found.action_items, found.dropped) == (left, dropped)
