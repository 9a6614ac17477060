"""Tests of the faster parts with which the pack replaces parts of Pulumi's policy SDK: they change no finding, and they
decode each resource once.
"""

from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import pytest

from guardrails.model import resource_types as t
from guardrails.pack import policy_pack, sdk_speedups
from guardrails.pack.policy_kinds import EnforcementLevel, ResourcePolicy
from guardrails.pack.sdk_speedups import ANALYZER_CLASS, DECODING_NAMES, cache_decoding, replace_analyzer
from guardrails.policy_catalogue import POLICIES
from tests.policies.policy_harness import (
    EngineMessages,
    SampleResource,
    build_analyzer,
    build_messages,
    restored_sdk,
    run_policies,
)

ENFORCED = [policy for policy in POLICIES if policy.levels.for_environment("prod") is not EnforcementLevel.DISABLED]
TWO_BUCKETS = [SampleResource(t.BUCKET, {"bucket": name}, name) for name in ("b", "c")]


@pytest.fixture
def sdk() -> Iterator[Any]:
    """Return the original SDK, whose parts a test replaces."""
    with restored_sdk() as module:
        yield module


def test_the_sdk_still_has_the_replaced_names(sdk: Any) -> None:
    assert all(hasattr(sdk, name) for name in DECODING_NAMES), (
        "without these names the pack works, but a preview takes twice as long"
    )
    assert sdk_speedups.POLICIES_ATTRIBUTE in getattr(sdk, ANALYZER_CLASS).__annotations__, (
        "without this attribute, every policy is called for every type"
    )


def test_the_speedups_change_no_answer(sdk: Any, prod: EngineMessages) -> None:
    # Two subsystems of the program, because the original SDK needs seconds for all resources.
    program = prod.copy()
    for name in prod.inputs:
        if name.startswith(("livestream-", "meetings-", "voice-qa-")):
            program.drop(name)
    small = build_messages(TWO_BUCKETS)
    original_answers = [run_policies(ENFORCED, stack) for stack in (program, small)]
    assert all(original_answers)
    for _ in range(2):  # also shows that a second call changes nothing
        cache_decoding()
        replace_analyzer(policy_pack.policy_applies_to_type)
    assert [run_policies(ENFORCED, stack) for stack in (program, small, program)] == [
        *original_answers,
        original_answers[0],
    ]


def test_the_list_of_resources_is_built_once_for_all_policies_and_again_for_the_next_stack(
    sdk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    built_names: list[str] = []

    class RecordingResource(sdk.PolicyResource):  # type: ignore[misc]
        def __init__(self, kind: str, props: Any, urn: str, name: str, *other_arguments: Any) -> None:
            built_names.append(name)
            super().__init__(kind, props, urn, name, *other_arguments)

    monkeypatch.setattr(sdk, "PolicyResource", RecordingResource)
    stack_policies = [policy for policy in ENFORCED if not isinstance(policy, ResourcePolicy)]
    replace_analyzer(policy_pack.policy_applies_to_type)
    for sample in TWO_BUCKETS:
        run_policies(stack_policies, build_messages([sample]))
    assert built_names == ["b", "c"]


def test_a_policy_is_called_only_for_the_types_that_it_checks(sdk: Any) -> None:
    replace_analyzer(policy_pack.policy_applies_to_type)
    called_policies: list[str] = []
    analyzer = build_analyzer(ENFORCED)
    for policy in getattr(analyzer, sdk_speedups.POLICIES_ATTRIBUTE):
        if isinstance(policy, sdk.ResourceValidationPolicy):
            policy.validate = lambda *_, name=policy.name: called_policies.append(name)
    analyzer.Analyze(build_messages(TWO_BUCKETS).inputs["b"], None)
    assert called_policies == [
        policy.name for policy in ENFORCED if isinstance(policy, ResourcePolicy) and policy.applies_to(t.BUCKET)
    ]
    assert 0 < len(called_policies) < len(ENFORCED) / 4


def test_a_resource_is_decoded_once_for_all_policies(sdk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    decode = Mock(side_effect=sdk.json_format.MessageToDict)
    monkeypatch.setattr(sdk.json_format, "MessageToDict", decode)
    cache_decoding()
    run_policies(ENFORCED, build_messages(TWO_BUCKETS))
    assert decode.call_count == 2


def test_the_engine_may_ask_for_remediations_although_no_policy_has_one(sdk: Any) -> None:
    """The Pulumi CLI asks for every resource. The answer has no changed properties."""
    cache_decoding()
    request = build_messages([SampleResource(t.LOG_GROUP, {"name": "l"})]).inputs["sample"]
    assert not build_analyzer(["logs-expire"]).Remediate(request, None).remediations
