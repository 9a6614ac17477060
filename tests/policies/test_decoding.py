"""Decoding each resource once, and asking less, change nothing that a policy sees, and cost no remediation its copy."""

from collections.abc import Iterator
from typing import Any

import pytest
from pulumi.runtime.proto import analyzer_pb2

from guardrails import pack
from guardrails import types as t
from guardrails.analyzer import ANALYZER, POLICIES, ask_less
from guardrails.decoding import NAMES, decode_once
from guardrails.record import Level, ResourcePolicy
from tests.policies import exemplary
from tests.policies.harness import Messages, Thing, analyzer, as_it_was, ask, of_things, policies, surroundings


@pytest.fixture
def sdk() -> Iterator[Any]:
    with as_it_was() as module:
        yield module


def test_the_sdk_still_has_the_names_that_are_replaced(sdk: Any) -> None:
    assert all(hasattr(sdk, name) for name in NAMES), "the pack still works, but a preview takes twice as long"
    assert POLICIES in getattr(sdk, ANALYZER).__annotations__, "the same"


def test_every_answer_is_the_same(sdk: Any, prod: Messages) -> None:
    where = surroundings("prod")
    asked = [one for one in policies(where).values() if one.levels.of("prod") is not Level.DISABLED]
    small = of_things(exemplary.ALL)
    plain = [ask(asked, stack, where) for stack in (prod, small)]
    assert all(plain)
    for _ in range(2):
        decode_once()
        ask_less(pack.concerned(asked))
    assert [ask(asked, stack, where) for stack in (prod, small)] == plain
    assert [ask(asked, stack, where) for stack in (small, prod)] == plain[::-1], "no stack is taken for another"


def test_a_stack_is_put_together_once_for_all_policies_and_anew_for_the_next_stack(
    sdk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    class Counted(sdk.PolicyResource):  # type: ignore[misc]
        def __init__(self, kind: str, props: Any, urn: str, name: str, *rest: Any) -> None:
            made.append(name)
            super().__init__(kind, props, urn, name, *rest)

    monkeypatch.setattr(sdk, "PolicyResource", Counted)
    where = surroundings("prod")
    asked = [one for one in policies(where).values() if not isinstance(one, ResourcePolicy)]
    assert len(asked) > 20
    ask_less(pack.concerned(asked))
    for name in ("b", "c"):
        ask(asked, of_things([Thing(t.BUCKET, {"bucket": name}, name)]), where)
    assert made == ["b", "c"]


def test_of_a_resource_only_those_are_asked_that_judge_its_type(sdk: Any) -> None:
    where = surroundings("prod")
    records = list(policies(where).values())
    ask_less(pack.concerned(records))
    asked: list[str] = []
    one = analyzer(records, where)
    for policy in getattr(one, POLICIES):
        if isinstance(policy, sdk.ResourceValidationPolicy):
            policy.validate = lambda *_, name=policy.name: asked.append(name)
    one.Analyze(of_things([Thing(t.BUCKET, {"bucket": "b"})]).inputs["thing"], None)
    judging = [r.name for r in records if isinstance(r, ResourcePolicy) and r.judges(t.BUCKET)]
    enforced = [name for name in judging if policies(where)[name].levels.of("prod") is not Level.DISABLED]
    assert sorted(asked) == sorted(enforced)
    assert 0 < len(asked) < len(records) / 4


def test_a_resource_is_decoded_once_for_all_policies(sdk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 0
    plain = sdk.json_format.MessageToDict

    def counted(message: Any) -> Any:
        nonlocal count
        count += 1
        return plain(message)

    monkeypatch.setattr(sdk.json_format, "MessageToDict", counted)
    decode_once()
    where = surroundings("prod")
    ask(
        policies(where).values(),
        of_things([Thing(t.BUCKET, {"bucket": "b"}), Thing(t.BUCKET, {"bucket": "c"}, "c")]),
        where,
    )
    assert count == 2


def test_what_is_mended_in_one_place_is_not_mended_in_what_others_see(sdk: Any) -> None:
    decode_once()
    where = surroundings("prod")
    asked = analyzer([policies(where)["logs-expire"]], where)
    request = of_things([Thing(t.LOG_GROUP, {"name": "l"})]).inputs["thing"]
    assert len(asked.Analyze(request, None).diagnostics) == 1
    mended = asked.Remediate(request, None).remediations[0].properties
    assert mended["retentionInDays"] == 90
    assert len(asked.Analyze(request, None).diagnostics) == 1, "the request itself was not changed"
    again = analyzer_pb2.AnalyzeRequest(type=request.type, urn=request.urn, name=request.name, properties=mended)
    assert len(asked.Analyze(again, None).diagnostics) == 0
