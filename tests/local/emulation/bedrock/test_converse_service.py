"""Tests of the local Bedrock with boto3: valid requests, answers from the prompt, and faults that two words cause."""

import http.client
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from handlers.common.aws.service_faults import ServiceFailed, ServiceFault
from handlers.common.bedrock.converse import BedrockModel, ModelReply
from handlers.common.text.text_windows import Window
from handlers.livestream.fact_check_agent.model_request import MemoryEvent, RequestSettings, window_request
from handlers.livestream.transcript.cues import Cue
from local.emulation.bedrock.converse_permissions import ModelPermissions
from local.emulation.bedrock.converse_service import serve
from local.emulation.bedrock.meeting_answers import parse_meeting
from tests.local.emulation.fake_account import Account, client_of
from tests.local.emulation.server_threads import PATIENCE

MODEL = "us.anthropic.claude-sonnet-5-5"
UNTHINKING = "us.anthropic.claude-haiku-5-5"
ASKING = RequestSettings(max_tokens=3_000, clip_min_ms=5_000, clip_max_ms=20_000)
FERRIES = "We ran 600 ferries last spring. I am glad."


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with serve() as port:
        yield client_of("bedrock-runtime", port)


def prompt(*texts: str, memories: tuple[str, ...] = (), asking: RequestSettings = ASKING) -> dict[str, Any]:
    """Return a request about a broadcast with one cue for each text."""
    cues = tuple(Cue(at * 6_000, at * 6_000 + 6_000, text) for at, text in enumerate(texts))
    events = [MemoryEvent(f"000{at}#ab", text) for at, text in enumerate(memories)]
    return window_request(asking, Window(0, 0, len(cues), cues), "4c1f", 1, events)


def asked(client: Any, *texts: str, model: str = MODEL, **how: Any) -> ModelReply:
    return BedrockModel(client, model).converse(prompt(*texts, **how))


def ask_about_broadcast(client: Any, *texts: str, **how: Any) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(asked(client, *texts, **how).text)
    return result


def test_different_transcripts_get_different_answers(client: Any) -> None:
    result = ask_about_broadcast(client, "Good evening.", FERRIES, "It is the largest fleet. Is it?")
    assert [claim["quote"] for claim in result["claims"]] == [
        "We ran 600 ferries last spring.",
        "It is the largest fleet.",
    ]
    assert {claim["verdict"] for claim in result["claims"]} == {"unverified"}
    assert result["window"] == "4c1f"
    assert [(clip["startMs"], clip["endMs"]) for clip in result["clips"]] == [(6_000, 12_000)]
    assert ask_about_broadcast(client, "Good evening.") == {"window": "4c1f", "claims": [], "clips": []}


def test_a_decimal_point_does_not_end_a_sentence(client: Any) -> None:
    result = ask_about_broadcast(client, "Really?! Inflation was 1.5 percent. I am glad.")
    assert [claim["quote"] for claim in result["claims"]] == ["Inflation was 1.5 percent."]
    [item] = ask_about_meeting(("spk_0", "Good. Anna will send version 1.5 by Friday."), task="actionItems")["items"]
    assert (item["text"], item["due"]) == ("Send version 1.5", "by Friday")


@pytest.mark.parametrize(("count", "clips"), [(2, []), (3, [(0, 18_000)]), (4, [(0, 18_000)])])
def test_the_length_of_a_clip_is_within_its_limits(client: Any, count: int, clips: list[tuple[int, int]]) -> None:
    longer = RequestSettings(max_tokens=3_000, clip_min_ms=13_000, clip_max_ms=20_000)
    result = ask_about_broadcast(client, FERRIES, *["And so on."] * (count - 1), asking=longer)
    assert [(clip["startMs"], clip["endMs"]) for clip in result["clips"]] == clips


@pytest.mark.parametrize(
    ("memory", "verdict"),
    [
        ("That they ran 600 ferries last spring is refuted: 410.", "refuted"),
        ("They ran 600 ferries last spring, which is confirmed.", "supported"),
        ("600 ferries last spring, but in another context.", "misleading"),
        ("They ran 600 ferries last spring.", "unverified"),
        ("That ferries ran is refuted.", "unverified"),
    ],
)
def test_a_verdict_depends_on_the_memories(client: Any, memory: str, verdict: str) -> None:
    (claim,) = ask_about_broadcast(client, FERRIES, memories=("unrelated", memory))["claims"]
    assert claim["verdict"] == verdict
    assert claim["sources"] == ([] if verdict == "unverified" else ["0001#ab"])


def ask_about_meeting(
    *lines: tuple[str, str], task: str = "summary", summaries: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return the answer to a task about a meeting."""
    spoken: list[Mapping[str, Any]] = [
        {"said": at, "speaker": who, "text": text} for at, (who, text) in enumerate(lines)
    ]
    meeting = parse_meeting([*spoken, *({"summaryOf": "1", "text": item} for item in summaries), {"task": task}])
    assert meeting is not None
    return meeting.answer()


def test_a_summary_contains_speakers_and_quotes() -> None:
    lines = (("spk_0", "Good morning."), ("spk_1", "The ferry to the island is too expensive for us."))
    assert ask_about_meeting(*lines)["summary"] == (
        "spk_0, spk_1 spoke 2 times. It began with: Good morning. "
        "The longest line: The ferry to the island is too expensive for us."
    )
    assert (
        ask_about_meeting(("spk_0", "Something else."))["summary"]
        == "spk_0 spoke 1 times. It began with: Something else."
    )
    assert ask_about_meeting()["summary"] == "Nothing was said."
    assert ask_about_meeting(task="combine", summaries=("One.", "Two."))["summary"] == "One. Two."


@pytest.mark.parametrize(
    ("text", "item"),
    [
        ("Anna will send the report by Friday.", ("Send the report", "Anna", "by Friday")),
        ("Good. So, Anna will send the report.", ("Send the report", "Anna", None)),
        ("I will book a room before the end of May.", ("Book a room", "spk_0", "before the end of May")),
        ("Fine, I'll book a room.", ("Book a room", "spk_0", None)),
        ("Anna Berg has to call the bank until Monday.", ("Call the bank", "Anna Berg", "until Monday")),
        ("Bob is going to paint it!", ("Paint it", "Bob", None)),
        ("Bob must paint it.", ("Paint it", "Bob", None)),
        ("Thanks. Maria, would you please call them by Monday?", ("Call them", "Maria", "by Monday")),
        ("Please send the report.", ("Send the report", None, None)),
        ("It will rain by noon.", None),
        ("We will see.", None),
        ("Anna will not send it.", None),
        ("Anna sent the report.", None),
        ("Will Anna send it?", None),
    ],
)
def test_a_promise_is_an_action_item(text: str, item: tuple[str, str | None, str | None] | None) -> None:
    result = ask_about_meeting(("spk_0", text), task="actionItems")["items"]
    assert [(item["text"], item["owner"], item["due"]) for item in result] == ([] if item is None else [item])
    assert all(item["quote"] in text for item in result)


def test_the_fixed_part_of_a_prompt_is_written_to_the_cache_once_and_then_read() -> None:
    with serve() as port:
        client = client_of("bedrock-runtime", port)
        first, second = asked(client, "One.").usage, asked(client, "Another.").usage
        assert first.cache_write_tokens > 512, "Bedrock does not cache a shorter prefix"
        assert (first.cache_read_tokens, second.cache_write_tokens) == (0, 0)
        assert second.cache_read_tokens == first.cache_write_tokens
        assert 0 < second.input_tokens < 200
        assert asked(client, "Another.", model=MODEL.replace("sonnet", "haiku")).usage.cache_read_tokens == 0
        short = {**prompt("One."), "system": [{"text": "Short."}, {"cachePoint": {"type": "default"}}]}
        assert BedrockModel(client, MODEL).converse(short).usage.cache_write_tokens == 0


def test_an_answer_is_truncated_at_the_token_limit(client: Any) -> None:
    reply = BedrockModel(client, UNTHINKING).converse({**prompt(FERRIES), "inferenceConfig": {"maxTokens": 5}})
    assert (reply.stop_reason, reply.usage.output_tokens, len(reply.text)) == ("max_tokens", 5, 20)
    assert asked(client, FERRIES).stop_reason == "end_turn"
    assert asked(client, "A repeating tale of 7 seas.").stop_reason == "max_tokens"


def test_a_throttled_transcript_is_answered_the_third_time(client: Any) -> None:
    for _ in range(2):
        with pytest.raises(ServiceFailed) as failed:
            asked(client, "We were throttled.")
        assert failed.value.fault is ServiceFault.THROTTLED
    assert asked(client, "We were throttled.").text


def test_a_request_that_does_not_fit_the_model_is_refused(client: Any) -> None:
    with pytest.raises(ServiceFailed) as failed:
        BedrockModel(client, MODEL).converse(
            {**prompt("One."), "inferenceConfig": {"maxTokens": 9, "temperature": 1.5}}
        )
    assert failed.value.fault is ServiceFault.REJECTED


def converse(client: Any, model: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """Send a request as it is, without adapting it to the model."""
    answer: dict[str, Any] = client.converse(modelId=model, **request)
    return answer


@pytest.mark.parametrize(
    "change",
    [
        {"additionalModelRequestFields": {"thinking": {"type": "disabled"}}},
        {"additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 1_024}}},
        {"inferenceConfig": {"maxTokens": 100, "temperature": 0.0}},
        {"messages": [*prompt("One.")["messages"], {"role": "assistant", "content": [{"text": "{"}]}]},
    ],
)
def test_claude_sonnet_5_5_refuses_what_older_models_accepted(client: Any, change: dict[str, Any]) -> None:
    request = {**prompt("One."), **change}
    with pytest.raises(ClientError, match="ValidationException"):
        converse(client, MODEL, request)
    assert converse(client, "anthropic.claude-sonnet-4-5-20250929-v1:0", request)


def test_thinking_counts_against_the_token_limit_and_comes_before_the_answer(client: Any) -> None:
    """A request that is not adapted to the model has room for 3,000 tokens, which the thinking uses up."""
    cut_off = converse(client, MODEL, prompt(FERRIES))
    assert cut_off["stopReason"] == "max_tokens"
    assert [list(block) for block in cut_off["output"]["message"]["content"]] == [["reasoningContent"]]
    reply = asked(client, FERRIES)
    assert (reply.stop_reason, json.loads(reply.text)["window"]) == ("end_turn", "4c1f")
    assert reply.usage.output_tokens > 1_000
    haiku = asked(client, FERRIES, model=MODEL.replace("sonnet", "haiku"))
    assert (haiku.stop_reason, haiku.usage.output_tokens < 1_000) == ("end_turn", True)


@dataclass
class OtherRegion(Account):
    """Permissions that allow the models in all regions except one."""

    def is_denied(self, access_key: str, action: str, resource: str, context: Mapping[str, str]) -> bool:
        return super().is_denied(access_key, action, resource, context) or "us-west-2" in resource


def test_a_profile_requires_itself_and_its_model_in_each_region() -> None:
    guard = ModelPermissions("us-east-1", "123456789012", OtherRegion())

    def demanded(model: str) -> list[tuple[str, str | None]]:
        return [(arn, context.get("bedrock:InferenceProfileArn")) for arn, context in guard.resources(model)]

    name = MODEL.removeprefix("us.")
    profile = f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/{MODEL}"
    models = [f"arn:aws:bedrock:us-{region}::foundation-model/{name}" for region in ("east-1", "east-2", "west-2")]
    assert demanded(MODEL) == demanded(profile) == [(profile, None), *((model, profile) for model in models)]
    assert demanded(name) == demanded(models[0]) == [(models[0], None)]
    everywhere = profile.replace("us.anthropic", "global.anthropic")
    assert demanded(f"global.{name}") == [
        (everywhere, None),
        (models[0], everywhere),
        (f"arn:aws:bedrock:::foundation-model/{name}", everywhere),
    ]


def test_a_missing_grant_or_signature_is_refused() -> None:
    account = OtherRegion()
    with serve(ModelPermissions("us-east-1", "123456789012", account)) as port:
        client = client_of("bedrock-runtime", port)
        with pytest.raises(ServiceFailed) as refused:
            asked(client, "One.")
        assert refused.value.fault is ServiceFault.REFUSED
        guarded = {"guardrailConfig": {"guardrailIdentifier": "abc", "guardrailVersion": "1"}}
        single = MODEL.removeprefix("us.")
        assert BedrockModel(client, single).converse({**prompt("One."), **guarded}).text
        assert {item[:2] for item in account.demanded} == {
            ("KEY", "bedrock:InvokeModel"),
            ("KEY", "bedrock:ApplyGuardrail"),
        }
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        connection.request("POST", "/model/a/converse", body="{}")
        answer = connection.getresponse()
        answer.read()
        assert (answer.status, answer.getheader("x-amzn-ErrorType")) == (403, "MissingAuthenticationTokenException")
        connection.close()
