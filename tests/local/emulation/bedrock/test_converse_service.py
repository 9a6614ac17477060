"""Tests of the local Bedrock through boto3: validation, scripted answers, and faults.

The local Bedrock answers by fixed rules. The requests are about facts in a broadcast or about a meeting.
"""

import http.client
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from handlers.common.bedrock import BedrockModel, ModelReply, build_request, to_json_lines
from local.emulation.bedrock.converse_service import ModelPermissions, serve
from local.emulation.bedrock.scripted_answers import parse_meeting, split_sentences
from local.emulation.faults import Fault, Faults
from tests.local.emulation.fake_account import ACCESS_KEY, TIMEOUT_SECONDS, Account, create_client

MODEL = "us.anthropic.claude-sonnet-5-5"
"""Inference profile."""
WINDOW_ID = "4c1f"
"""Id of the section of the broadcast, which the answer repeats."""
CLAIM = "We ran 600 ferries last spring. I am glad."


FAULTS = Faults()


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with serve(faults=FAULTS) as port:
        yield create_client("bedrock-runtime", port)


def broadcast_request(*texts: str, memories: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the fact-check agent's request about a broadcast, which has a line of six seconds for each text.

    `memories` are texts about earlier parts of the broadcast. The id of the first text is `0000#ab`.
    """
    lines: list[dict[str, Any]] = [
        {"window": WINDOW_ID, "clipMinMs": 5_000, "clipMaxMs": 20_000},
        *({"memory": f"000{number}#ab", "text": text} for number, text in enumerate(memories)),
        *(
            {"cue": number, "startMs": number * 6_000, "endMs": number * 6_000 + 6_000, "text": text}
            for number, text in enumerate(texts)
        ),
    ]
    return build_request("Check the facts.", [to_json_lines(lines)], 3_000)


def reply_to(client: Any, *texts: str, **options: Any) -> ModelReply:
    """Return the reply to a request about a broadcast, which the handlers' code adapts to the model."""
    return BedrockModel(client, MODEL).converse(broadcast_request(*texts, **options))


def check_facts(client: Any, *texts: str, **options: Any) -> dict[str, Any]:
    """Return the claims and clips that the model finds in a broadcast."""
    result: dict[str, Any] = json.loads(reply_to(client, *texts, **options).text)
    return result


def test_claims_and_clips_are_found_in_the_transcript(client: Any) -> None:
    """A claim is a sentence with a digit or a superlative. The clip starts with the line of the first claim."""
    result = check_facts(client, "Good evening.", CLAIM, "It is the largest fleet. Is it?")
    assert [claim["quote"] for claim in result["claims"]] == [
        "We ran 600 ferries last spring.",
        "It is the largest fleet.",
    ]
    assert {claim["verdict"] for claim in result["claims"]} == {"unverified"}
    assert result["window"] == WINDOW_ID
    assert [(clip["startMs"], clip["endMs"]) for clip in result["clips"]] == [(6_000, 12_000)]
    assert check_facts(client, "Good evening.") == {"window": WINDOW_ID, "claims": [], "clips": []}


@pytest.mark.parametrize(
    ("memory", "verdict"),
    [
        ("That they ran 600 ferries last spring is refuted: 410.", "refuted"),
        ("They ran 600 ferries last spring, which is confirmed.", "supported"),
        ("600 ferries now, but not in spring: in another context.", "misleading"),
        ("They ran 600 ferries last spring.", "unverified"),
        ("That ferries ran is refuted.", "unverified"),
    ],
)
def test_the_verdict_comes_from_a_memory_with_the_words_of_the_claim(client: Any, memory: str, verdict: str) -> None:
    """The memory must share three words with the claim."""
    [claim] = check_facts(client, CLAIM, memories=("unrelated", memory))["claims"]
    assert claim["verdict"] == verdict
    assert claim["sources"] == ([] if verdict == "unverified" else ["0001#ab"])


def ask_about_meeting(
    *lines: tuple[str, str], task: str = "summary", summaries: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return the answer to a task about a meeting. A line consists of speaker and text."""
    transcript: list[Mapping[str, Any]] = [
        {"said": number, "speaker": speaker, "text": text} for number, (speaker, text) in enumerate(lines)
    ]
    meeting = parse_meeting([*transcript, *({"summaryOf": "1", "text": item} for item in summaries), {"task": task}])
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
        ("Good. So, Anna will send version 1.5.", ("Send version 1.5", "Anna", None)),
        ("I will book a room before the end of May.", ("Book a room", "spk_0", "before the end of May")),
        ("Fine, I'll book a room.", ("Book a room", "spk_0", None)),
        ("Anna Berg will call the bank until Monday.", ("Call the bank", "Anna Berg", "until Monday")),
        ("Please send the report.", ("Send the report", None, None)),
        ("It will rain by noon.", None),
        ("Anna will not send it.", None),
        ("Will Anna send it?", None),
    ],
)
def test_a_promise_is_an_action_item_with_owner_and_due_date(
    text: str, item: tuple[str, str | None, str | None] | None
) -> None:
    items = ask_about_meeting(("spk_0", text), task="actionItems")["items"]
    assert [(result["text"], result["owner"], result["due"]) for result in items] == ([item] if item else [])
    assert all(result["quote"] in text for result in items)


def test_a_sentence_does_not_end_at_a_decimal_point() -> None:
    text = "One ends. Really?! Inflation was 1.5 percent. No mark"
    assert list(split_sentences(text)) == ["One ends.", "Really?!", "Inflation was 1.5 percent.", "No mark"]


def test_an_answer_is_truncated_at_the_token_limit_or_by_a_fault(client: Any) -> None:
    whole = reply_to(client, CLAIM)
    assert (whole.stop_reason, whole.usage.input_tokens > 0) == ("end_turn", True)
    request = {**broadcast_request(CLAIM), "inferenceConfig": {"maxTokens": 5}}
    answer = client.converse(modelId="anthropic.claude-3-haiku", **request)
    assert (answer["stopReason"], answer["usage"]["outputTokens"]) == ("max_tokens", 5)
    FAULTS.set(Fault.MODEL_REPEATING)
    half = reply_to(client, CLAIM)
    assert half.stop_reason == "max_tokens"
    assert half.text == whole.text[: len(whole.text) // 2]


def test_a_request_that_violates_the_api_model_is_refused(client: Any) -> None:
    request = {**broadcast_request("One."), "inferenceConfig": {"maxTokens": 9, "temperature": 1.5}}
    with pytest.raises(ClientError, match="ValidationException"):
        BedrockModel(client, MODEL).converse(request)


@dataclass
class AccountWithoutUsWest2(Account):
    """Account whose callers may use the models in all regions except us-west-2."""

    def is_denied(self, access_key: str, action: str, resource: str, context: Mapping[str, str]) -> bool:
        return super().is_denied(access_key, action, resource, context) or "us-west-2" in resource


def test_the_use_of_a_profile_requires_grants_on_the_profile_and_on_its_model_in_each_region() -> None:
    permissions = ModelPermissions("us-east-1", "123456789012", AccountWithoutUsWest2())

    def required_resources(model: str) -> list[tuple[str, str | None]]:
        """Return the ARN of each resource on which the caller needs a grant, and the profile in the context."""
        return [(arn, context.get("bedrock:InferenceProfileArn")) for arn, context in permissions.resources(model)]

    name = MODEL.removeprefix("us.")
    profile = f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/{MODEL}"
    models = [f"arn:aws:bedrock:us-{region}::foundation-model/{name}" for region in ("east-1", "east-2", "west-2")]
    expected = [(profile, None), *((model, profile) for model in models)]
    assert required_resources(MODEL) == required_resources(profile) == expected
    assert required_resources(name) == required_resources(models[0]) == [(models[0], None)]
    global_profile = profile.replace("us.anthropic", "global.anthropic")
    assert required_resources(f"global.{name}") == [
        (global_profile, None),
        (models[0], global_profile),
        (f"arn:aws:bedrock:::foundation-model/{name}", global_profile),
    ]


def test_a_request_without_a_grant_or_a_signature_is_refused() -> None:
    account = AccountWithoutUsWest2()
    with serve(ModelPermissions("us-east-1", "123456789012", account)) as port:
        client = create_client("bedrock-runtime", port)
        with pytest.raises(ClientError, match="AccessDeniedException"):
            reply_to(client, "One.")

        model_of_one_region = MODEL.removeprefix("us.")
        assert BedrockModel(client, model_of_one_region).converse(broadcast_request("One.")).text
        assert {check[:2] for check in account.permission_checks} == {(ACCESS_KEY, "bedrock:InvokeModel")}

        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
        connection.request("POST", "/model/a/converse", body="{}")
        response = connection.getresponse()
        response.read()
        assert (response.status, response.getheader("x-amzn-ErrorType")) == (403, "MissingAuthenticationTokenException")
        connection.close()
