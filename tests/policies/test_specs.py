"""Every policy by its spec: what passes, what is found, what cannot be known, what is excepted, and the real program
broken in one place.
"""

import importlib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from pulumi.runtime.proto import analyzer_pb2

from guardrails.catalogue import EXCUSABLE, POLICIES
from guardrails.model import resource_types as t
from guardrails.pack.policy_kinds import Level
from tests.policies.policy_harness import (
    BY_NAME,
    TODAY,
    Case,
    Found,
    Messages,
    Spec,
    Thing,
    analyzer,
    as_the_pack_asks,
    ask,
    of_things,
    surroundings,
    waiver,
)
from tests.policies.specs.data_protection import tls_only

MODULES = [
    importlib.import_module(f"tests.policies.specs.{path.stem}")
    for path in sorted(Path(__file__).with_name("specs").glob("*.py"))
    if path.stem != "sample_documents"
]
SPECS: list[Spec] = [one for module in MODULES for one in module.SPECS]
CASES: list[Case] = [one for module in MODULES for one in module.CASES]

each = pytest.mark.parametrize("spec", SPECS, ids=repr)


def test_every_policy_has_exactly_one_spec() -> None:
    counts = Counter(spec.policy for spec in SPECS)
    assert {name for name, count in counts.items() if count > 1} == set()
    assert set(counts) == {one.name for one in EXCUSABLE}


@each
def test_it_lets_what_is_right_pass(spec: Spec) -> None:
    where = surroundings(spec.environment)
    found = ask([BY_NAME[spec.policy]], of_things(spec.good), where)
    assert [one for one in found if one.message] == []


@each
def test_it_finds_what_is_wrong_and_says_the_value_and_what_to_change(spec: Spec) -> None:
    where = surroundings(spec.environment)
    policy = BY_NAME[spec.policy]
    assert policy.levels.of(spec.environment) is not Level.DISABLED, "a disabled policy finds nothing"
    found = [one for one in ask([policy], of_things(spec.bad), where) if one.name == spec.at]
    assert found, "nothing was found"
    assert any(spec.says in one.message for one in found), [one.message for one in found]
    assert all(one.message.endswith(policy.remedy) for one in found)


@each
def test_what_is_not_known_yet_is_undecided_or_keeps_nothing_else_from_being_judged(spec: Spec) -> None:
    where = surroundings(spec.environment)
    found = ask([BY_NAME[spec.policy]], of_things(spec.unknown), where)
    if spec.undecided:
        assert any(one.undecided for one in found), [one.message for one in found]
    else:
        assert not any(one.undecided for one in found), [one.message for one in found]
        assert found, "nothing was found beside what is not known"


@each
def test_an_exception_covers_the_resource_it_names_until_its_day(spec: Spec) -> None:
    name = spec.at or "platform"
    covered = surroundings(spec.environment, waiver(spec.policy, name))
    found = ask([BY_NAME[spec.policy]], of_things(spec.bad), covered)
    assert [one for one in found if one.name == spec.at] == []

    expired = surroundings(spec.environment, waiver(spec.policy, name, TODAY.replace(day=19)))
    found = ask([BY_NAME[spec.policy]], of_things(spec.bad), expired)
    assert [one for one in found if one.name == spec.at], "an expired exception covers nothing"


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_a_case_is_judged_as_it_says(case: Case) -> None:
    where = surroundings()
    found = ask([BY_NAME[case.policy]], of_things(case.things), where)
    messages = [one.message for one in found]
    assert any(case.says in message for message in messages) if case.says else messages == [], messages
    assert not case.at or {one.name for one in found} == {case.at}


def test_the_packs_configuration_sets_limits() -> None:
    where = surroundings()
    asked = [BY_NAME[name] for name in ("function-memory-ceiling", "dashboard-ceiling")]
    stack = of_things([Thing(t.FUNCTION, {"name": "f", "memorySize": 3008}), Thing(t.DASHBOARD, {}, "d")])
    assert [one.policy for one in ask(asked, stack, where)] == ["function-memory-ceiling"]
    limits = {"function-memory-ceiling": {"megabytes": 3008}, "dashboard-ceiling": {"dashboards": 0}}
    assert [one.policy for one in ask(asked, stack, where, limits)] == ["dashboard-ceiling"]


def test_the_pack_notes_by_itself_which_properties_a_resource_is_given() -> None:
    """A policy that the provider answers for a bucket is not the bucket's own."""
    where = surroundings()
    stack = of_things([Thing(t.BUCKET, {"bucket": "b"}, answers={"policy": tls_only()})])
    asked = analyzer([BY_NAME[one] for one in ("required-tags", "bucket-tls-only")], where)
    asked.Analyze(stack.inputs["thing"], None)
    whole = asked.AnalyzeStack(analyzer_pb2.AnalyzeStackRequest(resources=list(stack.outputs.values())), None)
    assert [one.policyName for one in whole.diagnostics] == ["bucket-tls-only"]


@pytest.fixture(scope="module")
def _as_the_pack_asks() -> Iterator[None]:
    """Hundreds of times about the whole program, of which only one place is another each time."""
    with as_the_pack_asks():
        yield


@pytest.fixture(scope="module")
def unbroken(_as_the_pack_asks: None, prod: Messages) -> Mapping[str, Counter[Found]]:
    """All that is found in the program as it is, by environment."""
    found = {}
    for environment in ("staging", "prod"):
        where = surroundings(environment)
        found[environment] = Counter(ask(POLICIES, prod, where))
    return found


@each
def test_the_real_program_broken_in_one_place_makes_it_fire_there(
    spec: Spec, prod: Messages, unbroken: Mapping[str, Counter[Found]]
) -> None:
    where = surroundings(spec.environment)
    stack = prod.copy()
    expected = spec.breaks(stack)
    fresh = Counter(ask([BY_NAME[spec.policy]], stack, where)) - unbroken[spec.environment]
    assert {one.name for one in fresh} == {expected, *spec.also}, [one.message for one in fresh]
