"""Versions of a Lambda function, and its alias `live`, which all callers use.

The commands `flag`, `alias` and `rollout` use it. During a rollout, the alias gives a share of the traffic to a second
version. Each change names the `RevisionId` of the state that was read, so Lambda refuses to overwrite the change of
another user. The environment variables of a function may be secret, so no message contains them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from components.core import Kind
from operations.command import PROJECT, CommandContext, CommandFailed, build_name, translate_errors

LIVE = "live"
ALLOCATION_SECONDS = 600.0
"""Maximum time for the allocation of provisioned concurrency."""
POLL_SECONDS = 5.0
NOT_PROVISIONED = "ProvisionedConcurrencyConfigNotFoundException"
"""Error code if the alias has no provisioned concurrency, here also used as a status."""


@dataclass(frozen=True)
class Routing:
    """Traffic of an alias: the shares (0 to 1) of other versions, and the version that has the rest."""

    version: str
    weights: Mapping[str, float] = field(default_factory=dict)
    revision: str = field(default="", compare=False)
    """Revision of the alias when it was read."""

    def __str__(self) -> str:
        """For example `version 1 has 90%, version 2 has 10%`."""
        if not self.weights:
            return f"version {self.version} has all traffic"
        shares = {self.version: 1 - sum(self.weights.values()), **self.weights}
        return ", ".join(f"version {version} has {share:.0%}" for version, share in shares.items())


class LiveFunction:
    """A function of a stack, with the calls for its versions and its alias `live`."""

    def __init__(self, context: CommandContext, stack: str, path: str) -> None:
        """`path` is `<subsystem>/<function>`, for example `transcription/audio-processor`."""
        self.context, self.stack, self.path = context, stack, path
        self.subsystem, slash, self.short_name = path.partition("/")
        if not slash:
            raise CommandFailed(f"{path!r} must be <subsystem>/<function>, for example transcription/audio-processor.")
        self.name = build_name(Kind.FUNCTION, stack, self.subsystem, self.short_name)
        self.alarm_prefix = f"{PROJECT}-{stack}-{self.subsystem}-"

    def alias_command(self, version: str) -> str:
        """Return the shell command that moves the alias to a version."""
        return f".venv/bin/python -m operations alias --stack {self.stack} {self.path} --to {version}"

    def read_alias(self) -> Routing:
        return _to_routing(self._call("get_alias", Name=LIVE))

    def move_alias(self, to: Routing, before: Routing) -> Routing:
        """Change the alias's traffic, unless another user changed the alias after `before` was read."""
        routing = {"AdditionalVersionWeights": dict(to.weights)}
        changed = {"FunctionVersion": to.version, "RoutingConfig": routing, "RevisionId": before.revision}
        return _to_routing(self._call("update_alias", Name=LIVE, **changed))

    def refuse_during_rollout(self, alias: Routing) -> None:
        """Raise CommandFailed if the alias gives a share of the traffic to another version."""
        if alias.weights:
            raise CommandFailed(
                f"A rollout of {self.name} is in progress ({alias}). Wait for it, or end it with "
                f"`{self.alias_command(alias.version)}`."
            )

    def read_configuration(self, version: str) -> dict[str, Any]:
        """Return the configuration of a version or of `$LATEST`."""
        return dict(self._call("get_function_configuration", Qualifier=version))

    def list_versions(self) -> list[dict[str, Any]]:
        """Return the configurations of the published versions, newest first."""
        pages = self._client.get_paginator("list_versions_by_function").paginate(FunctionName=self.name)
        with translate_errors(self.name):
            versions = [found for page in pages for found in page["Versions"] if found["Version"] != "$LATEST"]
        return sorted(versions, key=lambda found: int(found["Version"]), reverse=True)

    def set_environment(self, environment: Mapping[str, str], revision: str) -> dict[str, Any]:
        """Replace the environment of `$LATEST`, wait for the end of the update, and return the new configuration."""
        variables = {"Variables": dict(environment)}
        self._call("update_function_configuration", Environment=variables, RevisionId=revision)
        self._wait("function_updated_v2", f"The update of $LATEST of {self.name}")
        latest = self.read_configuration("$LATEST")
        if latest["Environment"]["Variables"] != environment:
            raise CommandFailed(
                f"Another user changed $LATEST of {self.name} meanwhile. Callers still have the old value."
            )
        return latest

    def publish(self, latest: Mapping[str, Any], description: str) -> str:
        """Publish `$LATEST` unless it changed since it was read. Return the new version when it can be called."""
        as_read = {"CodeSha256": latest["CodeSha256"], "RevisionId": latest["RevisionId"]}
        version = str(self._call("publish_version", Description=description, **as_read)["Version"])
        self.wait_until_callable(version)
        return version

    def wait_until_callable(self, version: str) -> None:
        """Wait until a published version can be called: with SnapStart this takes minutes."""
        # A version that was not called for weeks is Inactive until its first call, which fails, so waiting is no use.
        if self.read_configuration(version).get("State") not in {"Active", "Inactive"}:
            self._wait("published_version_active", f"Version {version} of {self.name}", Qualifier=version)

    def wait_until_provisioned(self) -> None:
        """Wait until the alias's provisioned concurrency is allocated, if it has any.

        An alias with provisioned concurrency may have weights. But when its version changes, Lambda first allocates
        the new version's environments and meanwhile sets weights itself, so a rollout must neither start nor end then.
        https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html
        """
        end = self.context.clock() + ALLOCATION_SECONDS
        while (status := self._allocation_status()) == "IN_PROGRESS" and self.context.clock() < end:
            self.context.wait(POLL_SECONDS)
        if status not in {"READY", NOT_PROVISIONED}:
            raise CommandFailed(
                f"The provisioned concurrency of {self.name}:{LIVE} is {status}, but must be READY. `aws lambda "
                f"get-provisioned-concurrency-config --function-name {self.name} --qualifier {LIVE}` shows the reason."
            )

    def _allocation_status(self) -> str:
        try:
            return str(self._call("get_provisioned_concurrency_config", Qualifier=LIVE)["Status"])
        except CommandFailed as error:
            if error.code == NOT_PROVISIONED:
                return NOT_PROVISIONED
            raise

    @property
    def _client(self) -> Any:
        return self.context.clients("lambda")

    def _call(self, operation: str, **parameters: Any) -> Any:
        with translate_errors(self.name):
            return getattr(self._client, operation)(FunctionName=self.name, **parameters)

    def _wait(self, waiter: str, what: str, **parameters: str) -> None:
        try:
            with translate_errors(self.name):
                self._client.get_waiter(waiter).wait(FunctionName=self.name, **parameters)
        except CommandFailed as error:
            raise CommandFailed(f"{what} failed or is not ready. Callers still use the old version. {error}") from None


def _to_routing(answer: Mapping[str, Any]) -> Routing:
    weights = (answer.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    return Routing(answer["FunctionVersion"], weights, answer["RevisionId"])
