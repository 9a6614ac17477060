"""The pack as the process that the CLI starts, judging the real program of every stack."""

import json
from collections.abc import Mapping
from datetime import date
from random import Random
from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto.resource_pb2 import RegisterResourceRequest

from guardrails.catalogue import EXCUSABLE_POLICIES
from guardrails.model import resource_types as t
from guardrails.pack import stack_context
from guardrails.pack.policy_kinds import PolicyGroup
from local.preview import stack_files
from local.preview.policy_pack_process import Pack
from local.preview.resource_graph import Graph
from local.preview.stack_files import StackConfig
from tests.policies import policy_harness
from tests.policies.policy_harness import BY_NAME, build_exception
from tests.whole_program import ONE_WORKER, STACKS, changed, graph, previewed, recorded

WAITING_FOR_AN_ID = frozenset(
    {
        "livestream-agent-grants-2",
        "livestream-care-grants-2",
        "transcription-audio-processor-grants-2",
        "transcription-router-grants-2",
        "voice-qa-guests-guest-grants-2",
        "voice-qa-guests-guest-role",
        "voice-qa-query-worker-grants-2",
    }
)
"""Documents that name an id which AWS invents (an API's, an identity pool's, a memory's), by Pulumi name. Least
privilege is judged there after `up`; everywhere else at preview.
"""
LEAST_PRIVILEGE = {policy.name for policy in EXCUSABLE_POLICIES if policy.group is PolicyGroup.LEAST_PRIVILEGE}


pytestmark = ONE_WORKER


@pytest.mark.parametrize("stack", STACKS)
def test_the_whole_program_passes_in_every_stack_and_nothing_is_left_undecided(stack: str) -> None:
    judgements = previewed(stack).judgements
    assert [judgement for judgement in judgements if judgement.level == "mandatory"] == []
    assert previewed(stack).remediations == (), "the program itself needs no mending"
    undecided = {
        judgement.urn.rpartition("::")[2]
        for judgement in judgements
        if judgement.level == "unknown" and judgement.policy in LEAST_PRIVILEGE
    }
    assert undecided <= WAITING_FOR_AN_ID
    assert any(
        judgement.policy == "cost-estimate" and judgement.message.startswith("About $") for judgement in judgements
    )


def test_whatever_order_resources_are_listed_in_the_same_is_found_and_counted() -> None:
    """The CLI's engine keeps them in a map that has none."""
    made = graph("prod")
    with Pack(stack_files.read("prod"), dry_run=True) as pack:
        pack.rules()
        found = pack.judge_stack(made)
        assert [answer.policy for answer in found] == ["cost-estimate"]
        for seed in range(3):
            shuffled = Graph()
            order = Random(seed)  # noqa: S311 - an order, no secret
            shuffled._resources = dict(order.sample([*made._resources.items()], len(made)))
            assert pack.judge_stack(shuffled) == found


def test_a_private_agents_network_passes_too() -> None:
    nat = {"publicSubnetId": "subnet-0e3f", "subnetCidr": "172.31.200.0/24", "zone": "b"}
    network = {"vpcId": "vpc-0a1b2c3d", "cidr": "172.31.0.0/16", "nat": nat}
    config = changed("prod", "voiceQa", agentcore={"endpoint": "https://agent.example.com:5000", "network": network})
    with Pack(config, dry_run=True) as pack:
        judgements, _ = pack.judge(recorded(config).graph)
    assert [judgement for judgement in judgements if judgement.level == "mandatory"] == []


@pytest.mark.parametrize(
    ("kind", "given", "remedied"),
    [
        (t.ALARM, {"alarmActions": ["arn"]}, {"alarm-decides-missing-data": ("treatMissingData", "notBreaching")}),
        (t.LOG_GROUP, {}, {"logs-expire": ("retentionInDays", 90)}),
        (t.QUEUE, {"tags": {"Name": "given", "Owner": ""}}, {}),
    ],
)
def test_a_policy_changes_what_it_can_remedy_and_shows_it_before_and_after(
    kind: str, given: dict[str, Any], remedied: dict[str, tuple[str, object]]
) -> None:
    inputs = Struct()
    inputs.update(given)
    request = RegisterResourceRequest(type=kind, name="ingestion-thing", object=inputs)
    with Pack(stack_files.read("staging"), dry_run=True) as pack:
        judgements, remediations = pack.judge_resource(Graph().add(f"urn:x::y::{kind}::ingestion-thing", request))
    by_policy = {remediation.policy: remediation for remediation in remediations}
    assert set(by_policy) == {"required-tags", *remedied}
    for policy, (key, value) in remedied.items():
        assert key not in by_policy[policy].before
        assert by_policy[policy].after[key] == value
    tags = by_policy["required-tags"].after["tags"]
    assert (tags["Owner"], tags["Subsystem"]) == ("platform", "ingestion")
    assert tags["Name"] == given.get("tags", {}).get("Name", "ingestion-thing"), "what is given stays"
    assert [judgement for judgement in judgements if judgement.policy in by_policy] == [], (
        "nothing is wrong with what was changed"
    )


@pytest.mark.parametrize(
    ("change", "message_part"),
    [
        ({"polyphony:environment": "production"}, "polyphony:environment must be one of"),
        ({"polyphony:exceptions": None}, "polyphony:exceptions is missing in the stack file"),
        ({"polyphony:exceptions": '[{"policy": "x"}]'}, "must have policy, resource, reason and expires"),
    ],
)
def test_without_what_it_must_know_it_does_not_start_and_says_so(
    change: Mapping[str, str | None], message_part: str
) -> None:
    config = stack_files.read("prod")
    values = {key: value for key, value in {**config.values, **change}.items() if value is not None}
    with (
        Pack(StackConfig(config.project, "prod", values), dry_run=True) as pack,
        pytest.raises(Exception, match=message_part),
    ):
        pack.rules()


@pytest.mark.parametrize("day", ["2026-12-31", "2026-12-31T00:00:00Z"])
def test_a_day_is_the_same_with_and_without_quotes_in_the_stack_file(day: str) -> None:
    build_exception = {"policy": "table-backed-up", "resource": "x", "reason": "until the move is over", "expires": day}
    config = {"polyphony:environment": "prod", "polyphony:exceptions": json.dumps([build_exception])}
    [found] = stack_context.read_stack_context(config, "polyphony", date(2026, 11, 1)).exceptions
    assert found.expires == date(2026, 12, 31)


def test_an_exception_is_reported_and_no_exception_excuses_another() -> None:
    rules = ("exceptions-in-order", "exceptions-in-force", "published-settings-agree")
    waivers = [build_exception("table-backed-up", "ingestion-files-table", date(2020, 1, 1))]
    waivers += [build_exception(policy, "platform") for policy in rules]
    where = policy_harness.build_context("prod", *waivers)
    found = policy_harness.run_policies(
        [BY_NAME[rule] for rule in rules], policy_harness.of_graph(graph("prod")), where
    )
    assert {answer.policy for answer in found} == set(rules), "the program publishes no exceptions"
    assert any("expired on 2020-01-01" in answer.message for answer in found)
