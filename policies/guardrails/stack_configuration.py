"""Reader of the values that the policy pack takes from the stack's configuration, for example the environment.

The environment decides the enforcement levels, which are fixed when the pack starts, so the pack reads the
configuration first. The pack does not start without an environment. The configuration can contain decrypted secrets, so
it is never printed.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, NamedTuple

from guardrails.surface.seen_stack import SeenStack

ALLOWED_PROVIDER_SETTINGS: Final = frozenset({"aws:allowedAccountIds", "aws:region"})
ENVIRONMENTS = ("local", "dev", "staging", "prod")


class InvalidStackConfiguration(Exception):
    """The stack's configuration lacks a value that the pack needs, or has an invalid one. The message names the setting
    and the allowed values.
    """


class ExceptionEntry(NamedTuple):
    """One entry of `polyphony:exceptions`: a policy that does not apply to one resource until a date."""

    policy: str
    resource: str
    """Pulumi name of the resource. The name of the Platform component, `platform`, means the stack as a whole."""
    reason: str
    expires: date


@dataclass
class StackContext:
    """Values of the checked stack's configuration that policies use, and today's date."""

    stack: str
    environment: str
    exceptions: tuple[ExceptionEntry, ...]
    """All entries of the stack file, also expired entries."""
    today: date
    accounts: frozenset[str] = frozenset()
    """Accounts to which the AWS provider may deploy the stack (`aws:allowedAccountIds`); empty if it is not set."""
    permissions_boundary: str = ""
    """Path and name of the managed policy that bounds every role (`foundation.permissionsBoundary`); empty for none."""
    seen: SeenStack = field(default_factory=lambda: SeenStack(""))
    """Parts of the stack that the pack has received so far."""

    def is_excepted(self, policy: str, resource: str) -> bool:
        """Return True if an exception excuses the resource from the policy today, which may be its last day."""
        return any(
            (entry.policy, entry.resource) == (policy, resource) and self.today <= entry.expires
            for entry in self.exceptions
        )


def read_stack_context(config: Mapping[str, str], project: str, today: date, stack: str = "") -> StackContext:
    """Return the context from a stack's configuration (the variable `PULUMI_CONFIG`)."""
    environment = config.get(f"{project}:environment")
    if environment not in ENVIRONMENTS:
        raise InvalidStackConfiguration(
            f"{project}:environment must be one of {', '.join(ENVIRONMENTS)}. Set it in the stack file."
        )
    other_environments = (set(stack.lower().split("-")) & set(ENVIRONMENTS)) - {environment}
    if other_environments:
        raise InvalidStackConfiguration(
            f"{project}:environment is {environment}, but the stack is named {stack}. The environment decides which findings "
            f"stop a deployment. Set it to {min(other_environments)}, or give the stack another name."
        )
    try:
        exceptions = tuple(
            ExceptionEntry(item["policy"], item["resource"], item["reason"], _parse_date(item["expires"]))
            for item in json.loads(config.get(f"{project}:exceptions", "[]"))
        )
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidStackConfiguration(
            f"Each entry of {project}:exceptions must have policy, resource, reason and expires "
            "(YYYY-MM-DD). Correct the stack file."
        ) from error
    provider_settings = {key for key in config if key.startswith("aws:")} - ALLOWED_PROVIDER_SETTINGS
    if provider_settings:
        raise InvalidStackConfiguration(
            f"{min(provider_settings)} is set. A stack file sets only {' and '.join(sorted(ALLOWED_PROVIDER_SETTINGS))} of "
            "the AWS provider, so that everything belongs to one known account. Credentials belong into the environment."
        )
    accounts = _read_allowed_accounts(config)
    return StackContext(
        stack,
        environment,
        exceptions,
        today,
        accounts=accounts,
        permissions_boundary=_read_permissions_boundary(config, project),
        seen=SeenStack(
            f"{project}-{stack}-",
            account=min(accounts, default=""),
            region=config.get("aws:region", ""),
            settings=frozenset(_list_settings(config, project)),
        ),
    )


def _parse_date(given: str) -> date:
    """Return a date. The CLI writes an unquoted YAML date as midnight of that day (`2026-12-31T00:00:00Z`)."""
    return date.fromisoformat(given.removesuffix("T00:00:00Z"))


def _read_allowed_accounts(config: Mapping[str, str]) -> frozenset[str]:
    """Return the accounts of the AWS provider's setting. YAML turns an unquoted id into a number without its leading
    zeros.
    """
    try:
        accounts = frozenset(
            str(account).zfill(12) for account in json.loads(config.get("aws:allowedAccountIds", "[]"))
        )
    except (ValueError, TypeError) as error:
        raise InvalidStackConfiguration(
            'aws:allowedAccountIds must be a list of account ids, for example ["123456789012"]. Correct the stack file.'
        ) from error
    if len(accounts) > 1:
        raise InvalidStackConfiguration(
            f"aws:allowedAccountIds lists {len(accounts)} accounts, but a stack belongs to one. Correct the stack file."
        )
    return accounts


def _read_permissions_boundary(config: Mapping[str, str], project: str) -> str:
    """Return a setting of the section `foundation`; empty if it is not set or the section cannot be read."""
    with suppress(ValueError):  # the Pulumi program reports invalid settings
        foundation = json.loads(config.get(f"{project}:foundation", "{}"))
        if isinstance(foundation, Mapping):
            return str(foundation.get("permissionsBoundary") or "")
    return ""


def _list_settings(config: Mapping[str, str], project: str) -> Iterator[str]:
    """Yield all texts in the sections of the project's settings."""
    pending: list[Any] = []
    for key, value in config.items():
        if key.startswith(f"{project}:"):
            with suppress(ValueError):  # the environment is no section; the Pulumi program reports invalid settings
                pending.append(json.loads(value))
    while pending:
        value = pending.pop()
        if isinstance(value, Mapping | list):
            pending += value.values() if isinstance(value, Mapping) else value
        elif isinstance(value, str):
            yield value
