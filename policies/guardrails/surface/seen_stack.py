"""State of the pack about the stack that it checks, and the placeholders for names, accounts and ids in facts.

A fact is a line of text about a resource (`facts.py`). Placeholders make the facts of two resources equal that may do the
same. `{own}` is a name of the same subsystem as the resource, `{stack}` the beginning of the stack's other names, and
`{setting}` an address in the stack file.
"""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from guardrails.resource_types import BUCKET, ROLE
from guardrails.subsystem_of_resource import SUBSYSTEMS, parse_subsystem
from guardrails.surface.property_walk import get_known
from guardrails.surface.tables import Fact

REGION = re.compile(r"(?<![a-z0-9])[a-z]{2}(-gov|-iso[a-z]?)?-(central|(north|south)?(east|west)?)-\d(?![a-z0-9])")
GENERATED_PARTS = (
    (re.compile(r":(foundation-model|inference-profile)/[\w.:-]+"), r":\1/{model}"),
    (re.compile(r"(:execute-api:[^:]*:[^:]*:)[a-z0-9]+(?=/)"), r"\1{api}"),
    (re.compile(r"(https|wss)://[a-z0-9]+(\.execute-api\.)"), r"\1://{api}\2"),
    # The local platform's form of such an address. Nothing outside of the function's own machine answers there.
    (
        re.compile(r"http://127\.0\.0\.1:\d+/_aws/execute-api/[0-9a-f]{8}(?=/)"),
        "https://{api}.execute-api.{region}.amazonaws.com",
    ),
    (re.compile(r"\{region\}:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "{pool}"),
    (re.compile(r"(:anomalymonitor/)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), r"\1{id}"),
    (re.compile(r"sha256:[0-9a-f]{64}"), "{digest}"),
    (re.compile(r"(?<![a-z])scripts/[0-9a-f]{64}/"), "scripts/{hash}/"),
    (re.compile(r"(:layer:\{stack\}-foundation-handlers)-[0-9a-f]{12}:\d+$"), r"\1-{hash}:{version}"),
    (re.compile(r"/index/[\w.-]+"), "/index/{index}"),
    (re.compile(r"^integrations/[\w-]+"), "integrations/{id}"),
    (re.compile(r"(?<![a-z])(vpc|subnet|sg)-[0-9a-f]{8,17}"), r"\1-{id}"),
    (re.compile(r"handlers(\.[a-z_]+)+\.handler"), "{handler}"),
    (re.compile(rf"\{{stack\}}-({'|'.join(SUBSYSTEMS)})-\*"), "{stack}-{subsystem}-*"),
)
"""Patterns of ids and generated parts, which may change without a change of what is allowed, and their placeholders."""
OWN_NAME_KEYS = ("name", "bucket", "namePrefix", "layerName", "identityPoolName")
"""Properties with the name that the resource itself gets on AWS."""
SUBSYSTEM_NAME_KEYS = ("name", "bucket", "role", "functionName", "function", "rule", "repository", "identityPoolName")
"""Properties with the name of the resource, or of the resource that it belongs to."""
MIN_ADDRESS_LENGTH = 9
"""Minimum length of a setting that is replaced in other texts, because they could contain a shorter text by chance."""
ADDRESS_MARK = re.compile(r"[/@:]")
"""Character by which a setting is recognised as an address, ARN or path."""


@dataclass
class SeenStack:
    """State of the pack about the checked stack, from its settings and from the resources that it has received so far."""

    prefix: str
    """Beginning of all names, for example `polyphony-prod-`."""
    account: str = ""
    region: str = ""
    settings: frozenset[str] = frozenset()
    """All texts of the stack file."""
    current_urn: str = ""
    """URN of the resource whose facts are being listed."""
    roles: dict[str, str] = field(default_factory=dict)
    """Who assumes a role (`grants.describe_trust`), by the role's name."""
    defined_names: dict[str, set[str]] = field(default_factory=lambda: {"role": set(), "bucket": set(), "": set()})
    """Names that resources of the stack have: of roles, of buckets, and all (the empty key)."""
    incomplete_names: set[str] = field(default_factory=set)
    """Beginnings of names that AWS or the provider completes during the deployment."""
    used_names: dict[tuple[str, str], str] = field(default_factory=dict)
    """URN of the first resource that uses a name, by kind (`role`, `bucket` or empty) and name."""
    unknown_properties: dict[str, set[str]] = field(default_factory=dict)
    """Properties with a part that is unknown until the deployment, by the resource's URN."""
    new_facts: dict[str, list[Fact]] = field(default_factory=dict)
    """Facts of a resource that no table contains, by its URN. Each policy about facts reads them, so they are kept."""

    def define_names(self, resource_type: str, props: Mapping[str, Any]) -> None:
        """Remember the names that a resource gets on AWS."""
        for key in OWN_NAME_KEYS:
            # For other types than the bucket itself, the property `bucket` names another resource.
            name = get_known(props, key) if key != "bucket" or resource_type == BUCKET else None
            for match in self.stack_name.finditer(name) if isinstance(name, str) else ():
                if key == "namePrefix":
                    self.incomplete_names.add(match[0])
                for kind in {"", {BUCKET: "bucket", ROLE: "role"}.get(resource_type, "")}:
                    self.defined_names[kind].add(match[0])

    def has_name(self, kind: str, name: str) -> bool:
        """Return True if a resource of the stack has this name. `kind` is `role`, `bucket`, or empty for any resource."""
        return name in self.defined_names[kind] or (not kind and name.startswith(tuple(self.incomplete_names)))

    def find_subsystem(self, pulumi_name: str, props: Mapping[str, Any]) -> str:
        """Return the subsystem of a resource, from its name on AWS, or from that of the resource that it belongs to.
        Without such a name, the Pulumi name decides.
        """
        for key in SUBSYSTEM_NAME_KEYS:
            name = get_known(props, key)
            if match := self.stack_name.search(name) if isinstance(name, str) else None:
                return parse_subsystem(match[2].replace("_", "-"))
        return parse_subsystem(pulumi_name)

    @functools.cached_property
    def addresses(self) -> list[str]:
        """Settings that become `{setting}`: addresses, paths, and ARNs of this account. The longest is first, because it
        can contain another.
        """
        texts = {
            text.rstrip("/")
            for text in self.settings
            if ADDRESS_MARK.search(text) and (not text.startswith("arn:") or f":{self.account}:" in text)
        }
        return sorted((text for text in texts if len(text) >= MIN_ADDRESS_LENGTH), key=len, reverse=True)

    @functools.cached_property
    def stack_name(self) -> re.Pattern[str]:
        """Pattern of a name of the stack. Its groups are the separator after the prefix, the rest of the name, and a
        wildcard character after it.
        """
        start = re.escape(self.prefix.removesuffix("-")).replace(r"\-", "[-_]")
        return re.compile(rf"(?<![A-Za-z0-9]){start}([-_.])([\w-]*)([*?$]?)")

    def normalise(self, text: str, subsystem: str) -> str:
        """Replace names, accounts and ids by placeholders, and the names of this subsystem by `{own}`. Add each complete
        name of the stack to `used_names`.
        """
        for setting in self.addresses:
            text = text.replace(setting, "{setting}")

        def replace_name(match: re.Match[str]) -> str:
            separator, rest, wildcard = match.groups()
            if separator == "." or wildcard or not rest:  # no complete name
                return f"{{stack}}{separator.replace('_', '-')}{rest}{wildcard}"
            before = text[: match.start()]
            kind = "role" if before.endswith(":role/") else "bucket" if before.endswith((":::", "s3://")) else ""
            self.used_names.setdefault((kind, match[0]), self.current_urn)
            return "{own}" if parse_subsystem(rest.replace("_", "-")) == subsystem else f"{{stack}}-{rest}"

        text = self.stack_name.sub(replace_name, text) if self.prefix else text
        text = text.replace(self.account, "{account}") if self.account else text
        text = REGION.sub("{region}", text)
        for pattern, placeholder in GENERATED_PARTS:
            text = pattern.sub(placeholder, text)
        return text
