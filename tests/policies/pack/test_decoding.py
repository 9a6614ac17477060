"""Decoding each resource once, and asking less, change nothing that a policy sees, and cost no remediation its copy."""

from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import pytest

from guardrails.catalogue import POLICIES
from guardrails.model import resource_types as t
from guardrails.pack import analyzer as replaced
from guardrails.pack import policy_pack
from guardrails.pack.analyzer import ANALYZER, DECODING, ask_less, decode_once
from guardrails.pack.policy_kinds import Level, ResourcePolicy
from tests.policies.policy_harness import BY_NAME, Messages, Thing, analyzer, as_it_was, ask, of_things, surroundings

WHERE = surroundings()
ENFORCED = [one for one in POLICIES if one.levels.of("prod") is not Level.DISABLED]
TWO = [Thing(t.BUCKET, {"bucket": name}, name) for name in ("b", "c")]


@pytest.fixture
def sdk() -> Iterator[Any]:
    with as_it_was() as module:
        yield module


def test_the_sdk_still_has_the_names_that_are_replaced(sdk: Any) -> None:
    assert all(hasattr(sdk, name) for name in DECODING), "the pack still works, but a preview takes twice as long"
    assert replaced.POLICIES in getattr(sdk, ANALYZER).__annotations__, "the same"


def test_every_answer_is_the_same(sdk: Any, prod: Messages) -> None:
    small = of_things(TWO)
    plain = [ask(ENFORCED, stack, WHERE) for stack in (prod, small)]
    assert all(plain)
    for _ in range(2):  # a second call changes nothing
        decode_once()
        ask_less(policy_pack.concerned)
    assert [ask(ENFORCED, stack, WHERE) for stack in (prod, small, prod)] == [*plain, plain[0]]


def test_a_stack_is_put_together_once_for_all_policies_and_anew_for_the_next_stack(
    sdk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    class Counted(sdk.PolicyResource):  # type: ignore[misc]
        def __init__(self, kind: str, props: Any, urn: str, name: str, *rest: Any) -> None:
            made.append(name)
            super().__init__(kind, props, urn, name, *rest)

    monkeypatch.setattr(sdk, "PolicyResource", Counted)
    asked = [one for one in ENFORCED if not isinstance(one, ResourcePolicy)]
    ask_less(policy_pack.concerned)
    for one in TWO:
        ask(asked, of_things([one]), WHERE)
    assert made == ["b", "c"]


def test_a_policy_is_asked_only_about_the_types_that_it_judges(sdk: Any) -> None:
    ask_less(policy_pack.concerned)
    asked: list[str] = []
    one = analyzer(ENFORCED, WHERE)
    for policy in getattr(one, replaced.POLICIES):
        if isinstance(policy, sdk.ResourceValidationPolicy):
            policy.validate = lambda *_, name=policy.name: asked.append(name)
    one.Analyze(of_things(TWO).inputs["b"], None)
    assert asked == [one.name for one in ENFORCED if isinstance(one, ResourcePolicy) and one.judges(t.BUCKET)]
    assert 0 < len(asked) < len(ENFORCED) / 4


def test_a_resource_is_decoded_once_for_all_policies(sdk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    decode = Mock(side_effect=sdk.json_format.MessageToDict)
    monkeypatch.setattr(sdk.json_format, "MessageToDict", decode)
    decode_once()
    ask(ENFORCED, of_things(TWO), WHERE)
    assert decode.call_count == 2


def test_a_remediation_does_not_change_what_other_policies_see(sdk: Any) -> None:
    decode_once()
    asked = analyzer([BY_NAME["logs-expire"]], WHERE)
    request = of_things([Thing(t.LOG_GROUP, {"name": "l"})]).inputs["thing"]
    assert len(asked.Analyze(request, None).diagnostics) == 1
    changed = asked.Remediate(request, None).remediations[0].properties
    assert changed["retentionInDays"] == 90
    assert len(asked.Analyze(request, None).diagnostics) == 1, "the request itself was not changed"
    request.properties.CopyFrom(changed)
    assert len(asked.Analyze(request, None).diagnostics) == 0
