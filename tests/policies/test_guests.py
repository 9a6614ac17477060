"""Guests as a program makes them: nothing is found at fault, only what has an id of AWS' in it waits, and each way to
let them reach more is found.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from components.blocks import archive
from guardrails.least_privilege import POLICIES
from local import program
from local.graph import Resource
from local.preview_provider import PreviewProvider
from local.stack_files import StackConfig
from local.values import Props
from tests.guests import with_guests
from tests.policies.harness import Found, Messages, ask, of_graph, policies, surroundings

POOL, ROLE, GRANTS = "ingestion-visitors-pool", "ingestion-visitors-guest-role", "ingestion-visitors-guest-grants"
CONNECT = "ingestion-visitors-guest-grants-2"
WHERE = surroundings("prod")
NAMES = [one.name for one in POLICIES]


class Deployed(PreviewProvider):
    """Knows the ids that AWS would give, as after a deployment."""

    def make(self, resource: Resource) -> tuple[str, Props]:
        if resource.kind == "Api":
            return f"{resource.name}-id", {"apiEndpoint": "wss://a1b2c3.execute-api.us-east-1.amazonaws.com"}
        return f"{resource.name}-id", {}


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[PreviewProvider], Messages]:
    (tmp_path / "echo.zip").touch()
    monkeypatch.setattr(archive, "written", lambda _subsystem: tmp_path / "echo.zip")

    def record(provider: PreviewProvider) -> Messages:
        config = StackConfig("polyphony", "test", {})
        return of_graph(program.record(with_guests, config, provider, preview=True).graph)

    return record


@pytest.fixture
def preview(recorded: Callable[[PreviewProvider], Messages]) -> Messages:
    return recorded(PreviewProvider())


@pytest.fixture
def deployed(recorded: Callable[[PreviewProvider], Messages]) -> Messages:
    return recorded(Deployed())


def found_in(stack: Messages, *names: str) -> list[Found]:
    known = policies(WHERE)
    return ask([known[name] for name in names or NAMES], stack, WHERE)


def test_a_program_with_guests_passes_and_only_its_late_documents_wait(preview: Messages) -> None:
    found = found_in(preview)
    assert [(one.policy, one.name, one.message) for one in found if not one.undecided] == []
    assert {one.name for one in found if "guest" in one.name} == {
        ROLE,  # its trust policy names the pool
        CONNECT,  # it names the API
        "ingestion-others-guest-role",
    }
    assert not {one.policy for one in found if one.policy.startswith(("guests-", "cognito-"))}, "they need no id"


def test_nothing_waits_once_it_is_deployed(deployed: Messages) -> None:
    assert found_in(deployed) == []


def changed(name: str, key: str, edit: Callable[[Any], None]) -> Callable[[Messages], None]:
    def change(stack: Messages) -> None:
        document = stack.json(name, key)
        edit(document)
        stack.change(name, {key: json.dumps(document)})

    return change


def added(**statement: Any) -> Callable[[Messages], None]:
    whole = {"Effect": "Allow", "Resource": "*", **statement}
    return changed(GRANTS, "policy", lambda found: found["Statement"].append(whole))


def of(action: str, **changes: Any) -> Callable[[Messages], None]:
    """Changes the statement that allows an action."""

    def edit(document: Any) -> None:
        [statement] = [one for one in document["Statement"] if action in one["Action"]]
        statement.update(changes)

    return changed(GRANTS, "policy", edit)


KEYS, OWN = "dynamodb:LeadingKeys", "${cognito-identity.amazonaws.com:sub}"
PREFIX = {"s3:prefix": f"{OWN}/*"}
NOT_NULL = {"Null": {KEYS: "false"}}
AUDIO = "arn:aws:s3:::polyphony-test-ingestion-audio-123456789012"


def keys(value: Any, operator: str = "ForAllValues:StringLike", **more: Any) -> dict[str, Any]:
    return {"Condition": {operator: {KEYS: value}, **NOT_NULL, **more}}


FAULTS: Mapping[str, tuple[str, Callable[[Messages], None]]] = {
    "bedrock": ("guests-few-services", added(Action="bedrock:InvokeModel")),
    "everybody's objects, in any case": ("guests-own-objects-only", added(Action="S3:GetObject", Resource=f"{AUDIO}/*")),
    "states, in any case": ("guests-few-services", added(Action=["States:StartExecution"])),
    "events": ("guests-few-services", added(Action="events:PutEvents")),
    "everything": ("guests-few-services", added(Action="*")),
    "everybody's objects": ("guests-own-objects-only", added(Action="*")),
    "everybody's items": ("guests-own-items-only", added(Action="*")),
    "any prefix": ("guests-own-objects-only", of("s3:PutObject", Resource=f"{AUDIO}/queries/*")),
    "the whole bucket": ("guests-own-objects-only", of("s3:PutObject", Resource=f"{AUDIO}/*")),
    "any folder, then the own": ("guests-own-objects-only", of("s3:PutObject", Resource=f"{AUDIO}/*/{OWN}/*")),
    "the own and another": (
        "guests-own-objects-only",
        of("s3:PutObject", Resource=[f"{AUDIO}/queries/{OWN}/*", f"{AUDIO}/lectures/*"]),
    ),
    "listing the own and all": (
        "guests-own-objects-only",
        added(Action="s3:ListBucket", Resource=AUDIO, Condition={"StringLike": {"s3:prefix": [f"{OWN}/*", "*"]}}),
    ),
    "objects by a prefix that they have not": (
        "guests-own-objects-only",
        added(Action="s3:GetObject", Resource=f"{AUDIO}/*", Condition={"ForAllValues:StringLike": PREFIX}),
    ),
    "objects by a prefix": ("guests-own-objects-only", added(Action="s3:GetObject", Resource=f"{AUDIO}/*", Condition={"StringLike": PREFIX})),
    "objects if a prefix is given": (
        "guests-own-objects-only",
        added(Action="s3:GetObject", Resource=f"{AUDIO}/*", Condition={"StringLikeIfExists": PREFIX}),
    ),
    "listing all but the own": ("guests-own-objects-only", added(Action="s3:ListBucket", Resource=AUDIO, Condition={"StringNotLike": PREFIX})),
    "listing without a prefix": (
        "guests-own-objects-only",
        added(Action="s3:ListBucket", Resource=AUDIO, Condition={"StringLikeIfExists": PREFIX}),
    ),
    "listing and reading": (
        "guests-own-objects-only",
        added(Action=["s3:ListBucket", "s3:GetObject"], Resource=f"{AUDIO}*", Condition={"StringLike": PREFIX}),
    ),
    "no Null": ("guests-own-items-only", of("dynamodb:GetItem", Condition={"ForAllValues:StringLike": {KEYS: f"{OWN}#*"}})),
    "Null the other way": ("guests-own-items-only", of("dynamodb:GetItem", **keys(f"{OWN}#*", Null={KEYS: "true"}))),
    "no condition": ("guests-own-items-only", of("dynamodb:GetItem", Condition={})),
    "any key": ("guests-own-items-only", of("dynamodb:GetItem", **keys("*"))),
    "the own among others": ("guests-own-items-only", of("dynamodb:GetItem", **keys([f"{OWN}#*", "lecture#*"]))),
    "anything before the own": ("guests-own-items-only", of("dynamodb:GetItem", **keys(f"*{OWN}#*"))),
    "one of the keys is enough": ("guests-own-items-only", of("dynamodb:GetItem", **keys(f"{OWN}#*", "ForAnyValue:StringLike"))),
    "the classic flow": ("cognito-no-classic-flow", lambda stack: stack.change(POOL, {"allowClassicFlow": True})),
}  # fmt: skip


@pytest.mark.parametrize(("policy", "broken"), FAULTS.values(), ids=FAULTS)
def test_each_way_to_let_guests_reach_more_is_found_before_anything_exists(
    preview: Messages, policy: str, broken: Callable[[Messages], None]
) -> None:
    broken(preview)
    at = POOL if policy.startswith("cognito-") else ROLE
    assert [(one.name, one.undecided) for one in found_in(preview, policy)] == [(at, False)]


def test_guests_may_list_what_is_their_own(preview: Messages) -> None:
    added(Action="s3:ListBucket", Resource=AUDIO, Condition={"StringLike": {"S3:Prefix": [f"{OWN}/*"]}})(preview)
    added(Action="s3:ListBucketVersions", Resource=AUDIO, Condition={"StringEquals": {"s3:prefix": f"{OWN}/"}})(preview)
    assert found_in(preview, "guests-own-objects-only") == []


def test_a_services_name_in_capitals_is_the_same_service(preview: Messages) -> None:
    of("s3:PutObject", Action="S3:PutObject")(preview)
    assert found_in(preview, "guests-few-services", "guests-own-objects-only") == []


TRUST: Mapping[str, Callable[[Any], None]] = {
    "any pool": lambda found: found["Condition"].pop("StringEquals"),
    "signed in or not": lambda found: found["Condition"].pop("ForAnyValue:StringLike"),
    "a pool of any name": lambda found: found["Condition"].update(
        {"StringEquals": {}, "StringLike": {"cognito-identity.amazonaws.com:aud": "*"}}
    ),
}


@pytest.mark.parametrize("edit", TRUST.values(), ids=TRUST)
def test_a_role_that_any_pool_could_hand_out_is_found_when_it_is_deployed(
    deployed: Messages, edit: Callable[[Any], None]
) -> None:
    changed(ROLE, "assumeRolePolicy", lambda found: edit(found["Statement"][0]))(deployed)
    found = found_in(deployed, "iam-trust-federated-conditioned")
    assert [(one.name, one.undecided) for one in found] == [(ROLE, False)]


def test_a_guest_is_known_by_his_trust_policy_too_however_it_is_written(deployed: Messages) -> None:
    deployed.drop("ingestion-visitors-roles")
    added(Action="events:PutEvents")(deployed)
    for kind in ("unauthenticated", "unauth*", "*"):
        claim = {"ForAnyValue:StringLike": {"cognito-identity.amazonaws.com:amr": kind}}
        changed(ROLE, "assumeRolePolicy", lambda found, claim=claim: found["Statement"][0]["Condition"].update(claim))(  # type: ignore[misc]
            deployed
        )
        assert [one.name for one in found_in(deployed, "guests-few-services")] == [ROLE], kind


def test_a_role_whose_name_only_starts_like_a_guests_is_none(deployed: Messages) -> None:
    deployed.change(
        "ingestion-visitors-roles",
        {"roles": {"unauthenticated": "arn:aws:iam::123456789012:role/polyphony-test-ingestion-echo-2"}},
    )
    assert found_in(deployed, "guests-few-services") == []
