"""The local model and boto3: it takes what Bedrock takes, answers out of the prompt, and fails as a transcript tells
it.
"""

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from handlers.common.converse import BedrockModel, Guardrail
from handlers.common.faults import Fault as ServiceFault
from handlers.common.faults import ServiceFailed
from handlers.common.logging import EventLog
from handlers.common.patience import Timing
from handlers.common.windows import Sizes, Window, windows
from handlers.livestream.agent_worker import AgentWorker, Outcome
from handlers.livestream.cues import Cue
from handlers.livestream.findings import Verdict, WindowFailure
from handlers.livestream.prompting import Asking, MemoryEvent, request
from handlers.livestream.transcripts import read
from handlers.livestream.windows import messages
from local.services.bedrock import serve
from local.services.bedrock_access import Guard
from local.services.bedrock_faults import Fault
from tests.handlers.livestream.booth import EPISODE, KEY, OWNER, Ledger, Notebook, Shelf, fake_services
from tests.handlers.livestream.written import srt
from tests.local.services.threads import PATIENCE, served

MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
ASKING = Asking(max_tokens=3_000, clip_min_ms=5_000, clip_max_ms=20_000)
RETRIES = Config(retries={"mode": "standard", "total_max_attempts": 1}, read_timeout=PATIENCE)
FERRIES = "We ran 600 ferries last spring. I am glad."


@dataclass
class Hall:
    """The service, a client of it, and its clock."""

    port: int
    client: Any
    clock: list[float] = field(default_factory=lambda: [0.0])


@contextmanager
def hall(guard: Guard | None = None) -> Iterator[Hall]:
    clock = [0.0]
    with served(serve(now=lambda: clock[0], guard=guard), "bedrock") as port:
        make: Any = boto3.client
        client = make(
            "bedrock-runtime",
            endpoint_url=f"http://127.0.0.1:{port}",
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=RETRIES,
        )
        yield Hall(port, client, clock)
        client.close()


GUARD = Guard("us-east-1", "123456789012", lambda _caller, _action, resource, _context: "us-west-2" in resource)


def wishes(model: str) -> list[tuple[str, str | None]]:
    """Resources that are asked for, each with the profile that it is asked for in."""
    found = list(GUARD.model_wishes(model))
    assert {one.action for one in found} == {"bedrock:InvokeModel"}
    return [(one.resource, one.context.get("bedrock:InferenceProfileArn")) for one in found]


def test_a_profile_asks_for_itself_and_for_its_models_in_each_region() -> None:
    name = MODEL.removeprefix("us.")
    profile = f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/{MODEL}"
    models = [f"arn:aws:bedrock:us-{region}::foundation-model/{name}" for region in ("east-1", "east-2", "west-2")]
    assert wishes(MODEL) == wishes(profile) == [(profile, None), *((model, profile) for model in models)]
    assert wishes(name) == wishes(models[0]) == [(models[0], None)]
    everywhere = profile.replace("us.anthropic", "global.anthropic")
    assert wishes(f"global.{name}") == [
        (everywhere, None),
        (models[0], everywhere),
        (f"arn:aws:bedrock:::foundation-model/{name}", everywhere),
    ]


def test_one_refusal_is_enough_and_who_is_nobody_is_refused() -> None:
    with hall(GUARD) as own, pytest.raises(ServiceFailed) as refused:
        BedrockModel(own.client, MODEL).converse(asked("One."))
    assert refused.value.fault is ServiceFault.REFUSED
    with hall(GUARD) as own:
        assert BedrockModel(own.client, MODEL.removeprefix("us.")).converse(asked("One.")).text
        connection = http.client.HTTPConnection("127.0.0.1", own.port, timeout=PATIENCE)
        connection.request("POST", "/model/a/converse", body="{}")
        answer = connection.getresponse()
        answer.read()
        assert (answer.status, answer.getheader("x-amzn-ErrorType")) == (403, "MissingAuthenticationTokenException")
        connection.close()


@pytest.fixture(scope="module")
def shared() -> Iterator[Hall]:
    with hall() as found:
        yield found


def window(*texts: str) -> Window[Cue]:
    cues = tuple(Cue(at * 6_000, at * 6_000 + 6_000, text) for at, text in enumerate(texts))
    return Window(0, 0, len(cues), cues)


def asked(*texts: str, memories: tuple[str, ...] = ()) -> dict[str, Any]:
    events = [MemoryEvent(f"000{at}#ab", text) for at, text in enumerate(memories)]
    return request(ASKING, window(*texts), "4c1f", 1, events)


def answered(hall: Hall, *texts: str, memories: tuple[str, ...] = (), model: str = MODEL) -> dict[str, Any]:
    reply = BedrockModel(hall.client, model).converse(asked(*texts, memories=memories))
    found: dict[str, Any] = json.loads(reply.text)
    return found


def test_another_transcript_has_another_answer(shared: Hall) -> None:
    found = answered(shared, "Good evening.", FERRIES, "It is the largest fleet. Is it?")
    assert [claim["quote"] for claim in found["claims"]] == [
        "We ran 600 ferries last spring.",
        "It is the largest fleet.",
    ]
    assert {claim["verdict"] for claim in found["claims"]} == {"unverified"}
    assert found["window"] == "4c1f"
    assert [(clip["startMs"], clip["endMs"]) for clip in found["clips"]] == [(6_000, 12_000)]
    assert answered(shared, "Good evening.") == {"window": "4c1f", "claims": [], "clips": []}


@pytest.mark.parametrize(("count", "clips"), [(2, []), (3, [(0, 18_000)]), (4, [(0, 18_000)])])
def test_a_clip_is_as_long_as_a_clip_has_to_be(shared: Hall, count: int, clips: list[tuple[int, int]]) -> None:
    longer = Asking(max_tokens=3_000, clip_min_ms=13_000, clip_max_ms=20_000)
    prompt = request(longer, window(FERRIES, *["And so on."] * (count - 1)), "4c1f", 1, [])
    found = json.loads(BedrockModel(shared.client, MODEL).converse(prompt).text)
    assert [(clip["startMs"], clip["endMs"]) for clip in found["clips"]] == clips


@pytest.mark.parametrize(
    ("memory", "verdict"),
    [
        ("That they ran 600 ferries last spring is refuted: 410.", "refuted"),
        ("They ran 600 ferries last spring, which is confirmed.", "supported"),
        ("600 ferries last spring, but in another context.", "misleading"),
        ("They ran 600 ferries last spring.", "unverified"),
        ("Another thing is refuted.", "unverified"),
        ("That ferries ran is refuted.", "unverified"),
    ],
)
def test_a_verdict_depends_on_what_is_remembered(shared: Hall, memory: str, verdict: str) -> None:
    (claim,) = answered(shared, FERRIES, memories=("unrelated", memory))["claims"]
    assert claim["verdict"] == verdict
    assert claim["sources"] == ([] if verdict == "unverified" else ["0001#ab"])


def test_the_fixed_part_is_written_once_and_then_read_until_it_is_too_old() -> None:
    with hall() as own:
        model = BedrockModel(own.client, MODEL)
        first, second = model.converse(asked("One.")).usage, model.converse(asked("Another.")).usage
        assert first.cache_write_tokens > 1_024
        assert (first.cache_read_tokens, second.cache_write_tokens) == (0, 0)
        assert second.cache_read_tokens == first.cache_write_tokens
        assert 0 < second.input_tokens < 200
        own.clock[0] += 301
        assert model.converse(asked("Another.")).usage.cache_read_tokens == 0
        other = MODEL.replace("sonnet", "haiku")
        assert BedrockModel(own.client, other).converse(asked("Another.")).usage.cache_read_tokens == 0


def test_a_model_that_keeps_nothing_refuses_a_cache_point_and_is_asked_without(shared: Hall) -> None:
    llama = "us.meta.llama3-3-70b-instruct-v1:0"
    with pytest.raises(ClientError, match="did not allow prompt caching") as refused:
        shared.client.converse(modelId=llama, **asked("One."))
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    usage = BedrockModel(shared.client, llama).converse(asked("One.")).usage
    assert usage.input_tokens > 1_024
    assert (usage.cache_read_tokens, usage.cache_write_tokens) == (0, 0)


def test_a_prefix_that_is_too_short_is_not_kept(shared: Hall) -> None:
    short = {**asked("One."), "system": [{"text": "Short."}, {"cachePoint": {"type": "default"}}]}
    model = BedrockModel(shared.client, MODEL)
    for _ in range(2):
        usage = model.converse(short).usage
        assert (usage.cache_read_tokens, usage.cache_write_tokens) == (0, 0)


GOOD: dict[str, Any] = {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}
POINT: dict[str, Any] = {"cachePoint": {"type": "default"}}


def turn(role: str, *blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": role, "content": list(blocks)}


@pytest.mark.parametrize(
    "bad",
    [
        {},
        {"messages": []},
        {"messages": [turn("user")]},
        {"messages": [turn("user", {"text": " "})]},
        {"messages": [turn("assistant", {"text": "Hi"})]},
        {"messages": [turn("user", {"text": "Hi"}), turn("user", {"text": "Hi"})]},
        {"messages": [turn("user", {"text": "Hi"}), turn("assistant", {"text": "Hi"})]},
        {"messages": [turn("somebody", {"text": "Hi"})]},
        {"messages": [turn("user", POINT, {"text": "Hi"})]},
        {"messages": [turn("user", {"text": "Hi"}, POINT, POINT)]},
        {"messages": [turn("user", *[{"text": "Hi"}, POINT] * 5)]},
        {"messages": [turn("user", {"text": "Hi"}, {"text": "Hi", **POINT})]},
        {"messages": [turn("user", {"says": "Hi"})]},
        {"messages": "Hi"},
        {**GOOD, "system": []},
        {**GOOD, "system": [POINT]},
        {**GOOD, "system": [{"text": "Hi"}, {"cachePoint": {"type": "other"}}]},
        {**GOOD, "inferenceConfig": {"maxTokens": 0}},
        {**GOOD, "inferenceConfig": {"maxTokens": True}},
        {**GOOD, "inferenceConfig": {"temperature": 1.5}},
        {**GOOD, "guardrailConfig": {"guardrailIdentifier": "abc", "guardrailVersion": "latest"}},
        {**GOOD, "temperature": 0},
        {**GOOD, "modelId": MODEL},
    ],
)
def test_what_bedrock_refuses_is_refused(shared: Hall, bad: dict[str, Any]) -> None:
    status, headers, body = posted(shared, f"/model/{MODEL.replace(':', '%3A')}/converse", json.dumps(bad).encode())
    assert status == 400
    assert headers["x-amzn-ErrorType"] == "ValidationException"
    assert json.loads(body)["message"]


def posted(hall: Hall, path: str, body: bytes, method: str = "POST") -> tuple[int, Any, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", hall.port, timeout=PATIENCE)
    connection.request(method, path, body)
    response = connection.getresponse()
    found = response.status, response.headers, response.read()
    connection.close()
    return found


def test_only_converse_is_spoken(shared: Hall) -> None:
    assert posted(shared, "/model/a/converse", json.dumps(GOOD).encode())[0] == 200
    assert posted(shared, "/model/a/converse", b"{")[0] == 400
    assert posted(shared, "/model/a%20b/converse", json.dumps(GOOD).encode())[0] == 400
    assert posted(shared, "/model/a/converse", b"", "GET")[0] == 405
    assert posted(shared, "/model/a/invoke", b"")[0] == 404


def test_boto3_understands_a_refusal(shared: Hall) -> None:
    with pytest.raises(ClientError) as caught:
        shared.client.converse(modelId=MODEL, messages=[turn("assistant", {"text": "Hi"})])
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    with pytest.raises(ServiceFailed) as failed:
        BedrockModel(shared.client, MODEL).converse({"messages": [turn("assistant", {"text": "Hi"})]})
    assert failed.value.fault is ServiceFault.REJECTED


@pytest.mark.parametrize(
    ("word", "fault"),
    [
        (Fault.THROTTLED, ServiceFault.THROTTLED),
        (Fault.UNAVAILABLE, ServiceFault.UNAVAILABLE),
        (Fault.LATE, ServiceFault.TIMED_OUT),
        (Fault.DENIED, ServiceFault.REFUSED),
    ],
)
def test_errors_are_driven_by_what_is_said_or_by_the_models_name(
    shared: Hall, word: Fault, fault: ServiceFault
) -> None:
    for model, said in ((MODEL, f"We were {word}."), (f"test.{word}-v1:0", FERRIES)):
        with pytest.raises(ServiceFailed) as caught:
            answered(shared, said, model=model)
        assert caught.value.fault is fault


def test_an_answer_is_cut_off_at_the_tokens_that_it_may_have(shared: Hall) -> None:
    few = {**asked(FERRIES), "inferenceConfig": {"maxTokens": 5}}
    reply = BedrockModel(shared.client, MODEL).converse(few)
    assert (reply.stop_reason, reply.usage.output_tokens, len(reply.text)) == ("max_tokens", 5, 20)


@dataclass
class Scene:
    """The worker on top of the local model."""

    hall: Hall
    ledger: Ledger = field(default_factory=Ledger)
    notebook: Notebook = field(default_factory=Notebook)
    waits: list[float] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)

    def play(self, *texts: str, asking: Asking = ASKING, characters: int = 1_000) -> None:
        sizes = Sizes(characters, 600_000, 10)
        cues = [Cue(at * 6_000, at * 6_000 + 6_000, text) for at, text in enumerate(texts)]
        data = srt(cues).encode()
        count = len(windows(read(data).cues, sizes))
        model = BedrockModel(self.hall.client, MODEL)
        services = fake_services(Shelf({(KEY, "v1"): data}), self.notebook, model, self.ledger)
        timing = Timing(lambda: 0.0, self.waits.append, lambda: 1.0)
        worker = AgentWorker(services, asking, EventLog("INFO"), timing)
        for message in messages(OWNER, EPISODE, KEY, "v1", count, sizes):
            self.outcomes.append(worker.handle(message.model_dump_json(by_alias=True), 120_000))

    @property
    def failures(self) -> list[WindowFailure | None]:
        return list(self.ledger.ended.values())

    @property
    def quotes(self) -> list[str]:
        return [claim.quote for claim in self.ledger.claims.values()]


@pytest.fixture
def scene(shared: Hall) -> Scene:
    return Scene(shared)


def test_a_broadcast_is_checked_against_what_was_said_before(scene: Scene) -> None:
    scene.notebook.recalled = [MemoryEvent("0001#ab", "That they ran 600 ferries last spring is refuted.")]
    scene.play("Good evening.", FERRIES, "Nothing more.", "It is the largest fleet of them all.", characters=60)
    assert scene.outcomes == [Outcome.CHECKED] * 2
    found = {claim.quote: claim.verdict for claim in scene.ledger.claims.values()}
    assert found == {
        "We ran 600 ferries last spring": Verdict.REFUTED,
        "It is the largest fleet of them all": Verdict.UNVERIFIED,
    }
    assert len(scene.notebook.recorded) == 2
    assert scene.ledger.clips


def test_throttling_that_passes_is_waited_out(scene: Scene) -> None:
    scene.play("We were throttled 2 times.", FERRIES)
    assert (scene.outcomes, scene.waits) == ([Outcome.CHECKED], [0.5, 1.0])


@pytest.mark.parametrize("word", [Fault.MALFORMED, Fault.TRUNCATED, Fault.REPEATING, Fault.FOREIGN])
def test_an_answer_that_cannot_be_used_is_repaired_once(scene: Scene, word: Fault) -> None:
    scene.play(f"It was {word} 1 times here.", FERRIES)
    assert scene.outcomes == [Outcome.CHECKED]
    assert len(scene.quotes) == 2

    other = Scene(scene.hall)
    other.play(f"It is {word} 5 times here.", FERRIES)
    assert (other.outcomes, other.failures) == ([Outcome.FAILED], [WindowFailure.UNUSABLE_ANSWER])
    assert not other.quotes


def test_an_answer_in_a_code_fence_is_read(scene: Scene) -> None:
    scene.play("A fenced garden.", FERRIES)
    assert scene.quotes == ["We ran 600 ferries last spring"]


def test_an_invented_quote_does_not_survive(scene: Scene) -> None:
    scene.play("An invented tale of 7 seas.", FERRIES)
    assert scene.quotes == ["We ran 600 ferries last spring"]


def test_a_verdict_without_source_is_unverified(scene: Scene) -> None:
    scene.play("A sourceless verdict.", FERRIES)
    assert [claim.verdict for claim in scene.ledger.claims.values()] == [Verdict.UNVERIFIED]


def test_a_claim_of_the_wrong_form_is_passed_over_in_the_end(scene: Scene) -> None:
    scene.play("An overconfident man of 50.", FERRIES)
    assert scene.quotes == ["We ran 600 ferries last spring"]


def test_what_the_guardrail_stops_is_recorded(scene: Scene) -> None:
    guarded = Asking(3_000, 5_000, 20_000, Guardrail("abc123", "1"))
    scene.play("The most guarded secret.", asking=guarded)
    assert scene.failures == [WindowFailure.GUARDRAIL]
