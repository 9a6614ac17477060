"""Tests of the estimate of a stack's monthly cost.

A component (block) publishes its usage, the monthly quantities by measure, for example `writes`. A price rule reads the
measures of one resource type. Missing data is listed and never counted as zero: a type without a rule is unpriced,
missing usage is a gap, and usage that no rule reads is a problem.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pulumi_policy.proxy import UNKNOWN_NUMBER_VALUE, UNKNOWN_STRING_VALUE, unknown_checking_proxy

from guardrails.model import resource_types as t
from guardrails.pack.policy_kinds import CheckedResource, CheckedStack
from guardrails.pricing.checked_stack_estimate import estimate_stack, select_known_properties, to_priced_resource
from guardrails.pricing.cost_estimate import PricedResource, estimate_cost
from tests.policies.policy_harness import build_context

TABLE = PricedResource(t.TABLE, "a-files-table", "a-files", "a", {})
TABLE_USAGE = {"writes": 1e6, "reads": 0, "storageGb": 0}


def test_all_types_without_a_price_rule_except_components_are_listed_as_unpriced() -> None:
    billable = ("aws:lex/bot:Bot", "aws-native:ec2:Instance", "confluentcloud:index/kafkaCluster:KafkaCluster")
    free = ("polyphony:blocks:Table", "pulumi:pulumi:Stack", "pulumi:providers:aws")
    report = estimate_cost([PricedResource(kind, "name", "a-block", "a", {}) for kind in (*billable, *free)], {})
    assert report.unpriced == tuple(f"name ({kind})" for kind in billable)
    assert report.total == 0


def test_missing_usage_is_a_gap_that_names_block_and_measures() -> None:
    report = estimate_cost([TABLE], {"a-files": {"writes": 1}})
    assert report.gaps == ("a-files-table has no published usage (reads, storageGb of block a-files)",)


def test_a_dead_letter_queue_needs_no_usage() -> None:
    assert estimate_cost([PricedResource(t.QUEUE, "a-dlq-queue", "a-dlq", "a", {})], {}).gaps == ()


def test_usage_that_no_rule_reads_is_a_problem_that_names_the_existing_measures() -> None:
    report = estimate_cost([TABLE], {"a-files": {**TABLE_USAGE, "writess": 5}, "b": {"writes": 1}})
    assert report.problems == (
        "no price rule reads a-files.writess; the measures of a-files are indexWrites, reads, storageGb, writes",
        "usage is published for b, but the stack has no block of this name",
    )
    assert report.total == estimate_cost([TABLE], {"a-files": TABLE_USAGE}).total


def test_sums_by_attribute_are_sorted_by_cost() -> None:
    other = PricedResource(t.DASHBOARD, "b-overview-dashboard", "b-overview", "b", {})
    report = estimate_cost([TABLE, other], {"a-files": TABLE_USAGE})
    assert report.sum_by("subsystem") == {"b": 3.0, "a": 0.625}
    assert report.sum_by("service") == {"Amazon CloudWatch": 3.0, "Amazon DynamoDB": 0.625}
    assert report.describe_largest(1) == "b-overview $3.00"


def test_a_free_amount_is_subtracted_once_and_divided_among_blocks_by_quantity() -> None:
    queues = [PricedResource(t.QUEUE, f"{name}-queue", name, "a", {}) for name in ("a-one", "a-two")]
    usage = {"a-one": {"messages": 1_000_000}, "a-two": {"messages": 500_000}}
    # Each message costs two requests, a send and a delete. A million requests are free.
    assert estimate_cost(queues, usage).total == pytest.approx(3_000_000 * 0.0000004)
    reduced = estimate_cost(queues, usage, free_tiers=True)
    assert reduced.total == pytest.approx(2_000_000 * 0.0000004)
    assert reduced.sum_by("block")["a-one"] == pytest.approx(2 * reduced.sum_by("block")["a-two"])


def test_properties_without_their_unknown_values_are_priced() -> None:
    props = unknown_checking_proxy(
        {
            "memorySize": 1024,
            "role": UNKNOWN_STRING_VALUE,
            "layers": [UNKNOWN_STRING_VALUE, "b"],
            "environment": {"variables": {"A": UNKNOWN_STRING_VALUE, "B": "b"}},
        }
    )
    assert select_known_properties(props) == {
        "memorySize": 1024,
        "layers": [None, "b"],
        "environment": {"variables": {"B": "b"}},
    }


def test_an_unknown_size_is_priced_with_the_default_of_the_service() -> None:
    context = build_context()
    block = CheckedResource("u0", "polyphony:blocks:Function", "a-f", {}, context)
    unknown_size = unknown_checking_proxy({"memorySize": UNKNOWN_NUMBER_VALUE})
    function = CheckedResource("u1", t.FUNCTION, "a-f-function", unknown_size, context, parent=block)
    usage = {"usage": {"a-f": {"invocations": 1e6, "milliseconds": 0}}}
    platform = CheckedResource("u2", t.PLATFORM, "platform", usage, context)
    dashboard = CheckedResource("u3", t.DASHBOARD, "b-dashboard", {}, context)
    assert to_priced_resource(function).block == "a-f"
    assert estimate_stack(CheckedStack((block, function, platform, dashboard), context), platform).total == 0.20 + 3.00


@given(st.floats(min_value=0, max_value=1e9), st.floats(min_value=0, max_value=1e9))
def test_more_usage_never_costs_less(writes: float, additional_writes: float) -> None:
    cost = estimate_cost([TABLE], {"a-files": {**TABLE_USAGE, "writes": writes}}).total
    assert estimate_cost([TABLE], {"a-files": {**TABLE_USAGE, "writes": writes + additional_writes}}).total >= cost
