"""Transcription as tests deploy it: as a preview sees it, or as it is once AWS has given its ids."""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from components.blocks.context import Subsystem
from components.settings import TranscriptionSettings
from components.transcription import Transcription, TranscriptionArgs
from local.graph import Resource
from local.values import UNKNOWN, Props
from tests.components.blocks.test_websocket_api import Provider, deployed
from tests.engine import Engine, Recorded, foundation_settings, scope

PREFIX = "polyphony-test-transcription"
ACCOUNT = "us-east-1:123456789012"
API = f"arn:aws:execute-api:{ACCOUNT}:a1b2c3/live"
PROCESSOR = f"arn:aws:lambda:{ACCOUNT}:function:{PREFIX}-audio-processor"
ROUTER = f"arn:aws:lambda:{ACCOUNT}:function:{PREFIX}-router"
CALLBACK = "https://a1b2c3.execute-api.us-east-1.amazonaws.com/live"

Permission = tuple[str, str, str | None]
"""Action, resource, condition as JSON."""


class Versions(Provider):
    """Knows the version that Lambda publishes, too."""

    def make(self, resource: Resource) -> tuple[str, Props]:
        made, outputs = super().make(resource)
        return made, {**outputs, "version": "7"} if resource.kind == "Function" else outputs


def transcription(foundation: Mapping[str, Any] | None = None, **changes: Any) -> Recorded:
    """With changed settings, as a preview sees it: ids are unknown."""
    made = scope(subsystem=Subsystem.TRANSCRIPTION, foundation=foundation_settings(**(foundation or {})))
    args = TranscriptionArgs(made, TranscriptionSettings.model_validate(changes))
    return Engine().run(lambda: Transcription("transcription", args))


@cache
def plain() -> Recorded:
    """By default, as a preview sees it."""
    return transcription()


@cache
def complete() -> Recorded:
    """By default, as it is when AWS has made everything."""
    args = TranscriptionArgs(scope(subsystem=Subsystem.TRANSCRIPTION), TranscriptionSettings())
    return deployed(lambda: Transcription("transcription", args), Versions())


def variables(recorded: Recorded, function: str) -> dict[str, Any]:
    """The environment of a function."""
    found: dict[str, Any] = recorded.one("lambda.Function", function).inputs["environment"]["variables"]
    return found


def permissions(recorded: Recorded, role: str) -> set[Permission]:
    """All that a role may do, by all of its policies."""
    policies = [one for one in recorded.all("iam.RolePolicy") if one.inputs["role"] == role]
    assert policies, f"{role} has no policy"
    return {permission for policy in policies for permission in _permissions(policy)}


def roles(recorded: Recorded) -> set[str]:
    """Every role that is granted something."""
    return {one.inputs["role"] for one in recorded.all("iam.RolePolicy")}


def _permissions(policy: Resource) -> Iterator[Permission]:
    text = policy.inputs["policy"]
    assert text is not UNKNOWN, f"{policy.name} is known when AWS has given its ids"
    for statement in json.loads(text)["Statement"]:
        assert statement["Effect"] == "Allow"
        condition = json.dumps(statement["Condition"], sort_keys=True) if "Condition" in statement else None
        for action in statement["Action"]:
            for resource in statement["Resource"]:
                yield action, resource, condition
