"""Tests of the variations: small changes of the whole program, as a preview of prod has recorded it. A policy must find
each bad variation, and no policy may find a harmless one.

Variations of different resources are tested together, so that the policies run a few times instead of hundreds of
times.
"""

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.policies.policy_harness import EngineMessages, PolicyAnswer, run_policies
from tests.policies.program_variations import ProgramVariation
from tests.policies.specs import (
    federated_trust,
    foreign_identities,
    resource_types_and_providers,
)

FAMILIES = {
    "accounts": foreign_identities.VARIATIONS,
    "resource types": resource_types_and_providers.VARIATIONS,
    "trust": federated_trust.VARIATIONS,
}
"""Variations by subject."""
POLICY_NAMES = sorted({variation.policy for variations in FAMILIES.values() for variation in variations} - {""})

pytestmark = pytest.mark.usefixtures("fast_sdk")


@pytest.fixture(scope="module")
def answers_before(fast_sdk: None, prod: EngineMessages) -> Counter[PolicyAnswer]:
    """Return the answers of the policies of these families about the unchanged program."""
    return Counter(run_policies(POLICY_NAMES, prod))


def iterate_batches(variations: list[ProgramVariation]) -> Iterator[list[ProgramVariation]]:
    """Yield groups of variations that change different resources."""
    remaining = variations
    while remaining:
        # `reversed` keeps the first of several variations of one resource.
        batch = list({variation.resource: variation for variation in reversed(remaining)}.values())
        yield batch
        remaining = [variation for variation in remaining if variation not in batch]


def check_changes(prod: EngineMessages, batch: list[ProgramVariation], policies: list[str]) -> Counter[PolicyAnswer]:
    """Return all answers of these policies about the program with the changes of a batch."""
    stack = prod.copy()
    for variation in batch:
        variation.change(stack)
    return Counter(run_policies(policies, stack))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_named_policy_finds_every_bad_variation(family: str, prod: EngineMessages) -> None:
    missed = []
    for batch in iterate_batches([variation for variation in FAMILIES[family] if variation.policy]):
        answers = check_changes(prod, batch, sorted({variation.policy for variation in batch}))
        found = {(answer.policy, answer.name) for answer in answers if not answer.undecided}
        missed += [repr(variation) for variation in batch if (variation.policy, variation.resource) not in found]
    assert missed == []


@pytest.mark.parametrize("family", FAMILIES)
def test_no_policy_of_these_families_finds_a_harmless_variation(
    family: str, prod: EngineMessages, answers_before: Counter[PolicyAnswer]
) -> None:
    for batch in iterate_batches([variation for variation in FAMILIES[family] if not variation.policy]):
        new_answers = check_changes(prod, batch, POLICY_NAMES) - answers_before
        assert [(answer.policy, answer.name, answer.message) for answer in new_answers if not answer.undecided] == []
