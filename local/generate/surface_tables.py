"""Generator of the tables in `policies/guardrails/surface/`, which list everything that the program may do (`make
surface`). The policy pack denies what they do not list.

A line of a table is a fact about a resource, for example a permission of its role. The facts come from runs of the program:
each stack as in a deployment, with ids of the form that AWS assigns, and some variants of prod's settings both as in a
deployment and as in a preview, with unknown ids. A reviewer decides about new lines.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from google.protobuf.json_format import MessageToDict
from pulumi_policy.deserialize import deserialize_properties
from pulumi_policy.proxy import unknown_checking_proxy

from guardrails.pricing.price_rules import PRICED_TYPES
from guardrails.records import CheckedResource
from guardrails.stack_configuration import read_stack_context
from guardrails.surface import tables
from guardrails.surface.policies import list_resource_facts
from guardrails.surface.tables import Fact, Table
from local import ACCOUNT, REGION
from local.drivers.monitoring_and_costs import MONITOR_ARN
from local.preview import program_run, stack_files
from local.preview.preview_provider import PreviewProvider
from local.preview.resource_graph import Resource
from local.preview.stack_files import StackConfig
from local.property_values import Props

KEY_ARN: Final = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0a1b2c3d-0000-4000-8000-00000000000a"
RUNTIME_ARN: Final = f"arn:aws:bedrock-agentcore:{REGION}:{ACCOUNT}:runtime/agent-0a1b2c3d4e"
NETWORK: Final = {"vpcId": "vpc-0a1b2c3d", "cidr": "10.0.0.0/16", "subnetIds": ["subnet-0a1b2c3d"]}
SETTINGS_VARIANTS: Final[tuple[Mapping[str, Any], ...]] = (
    {
        "foundation": {
            "network": {"vpcId": "vpc-0a1b2c3d", "subnetIds": ["subnet-0a1b2c3d"]},
            "spend": {"anomalyMonitorOwned": False, "anomalyMonitorArn": MONITOR_ARN},
        },
        "ingestion": {"networkAttached": True, "environmentKeyArn": KEY_ARN, "spark": {"encryptionKeyArn": KEY_ARN}},
        "transcription": {"audioProcessor": {"snapStart": True}},
        "voiceQa": {
            "audio": {"accelerated": True, "versioned": False},
            "sessions": {"guestWrites": False},
            "websocketHandler": {"snapStart": True, "provisionedConcurrency": 0},
            "agentcore": {"mode": "bedrock", "endpoint": None, "runtimeArn": RUNTIME_ARN},
        },
        "meetings": {"tableKmsKey": KEY_ARN, "processing": {"engine": "fargate"}},
    },
    {
        "ingestion": {"networkAttached": True},
        "voiceQa": {"agentcore": {"endpoint": "https://agent.example.com", "network": NETWORK}},
    },
)
"""Changes of prod's settings, which together use all that no stack file uses."""
GENERATED_ID: Final = "0a1b2c3d4e"
"""Id in place of those that AWS generates."""


class DeploymentProvider(PreviewProvider):
    """Provider that answers with ids and outputs of the forms that AWS assigns, as far as the program reads them."""

    def make(self, resource: Resource) -> tuple[str, Props]:
        name = str(resource.inputs.get("name") or resource.inputs.get("namePrefix") or resource.name)
        service = resource.type.split(":")[1].partition("/")[0]
        arn = f"arn:aws:{service}:{REGION}:{ACCOUNT}:{name}"
        outputs: Props = {"arn": arn, "version": 1}
        match resource.kind:
            case "RestApi" | "Api":
                host = f"{GENERATED_ID}.execute-api.{REGION}.amazonaws.com"
                execution_arn = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{GENERATED_ID}"
                return GENERATED_ID, {**outputs, "apiEndpoint": f"wss://{host}", "executionArn": execution_arn}
            case "IdentityPool":
                return f"{REGION}:0a1b2c3d-0000-4000-8000-00000000000a", outputs
            case "Queue":
                url = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}"
                return url, {**outputs, "url": url}
            case "LayerVersion":
                layer_arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:{resource.inputs['layerName']}:1"
                return layer_arn, {**outputs, "arn": layer_arn}
            case "ComputeEnvironment":
                outputs["arn"] = f"arn:aws:batch:{REGION}:{ACCOUNT}:compute-environment/{name}20260101"
            case "AnomalyMonitor":
                return MONITOR_ARN, {**outputs, "arn": MONITOR_ARN}
            case "AgentcoreMemory":
                return f"{name}-{GENERATED_ID}", outputs
            case "Topic":
                return arn, outputs
        return f"{resource.kind.lower()}-{GENERATED_ID}", outputs


def build_tables() -> dict[Table, str]:
    """Return the text of each table. The line of a type also states if it can have tags, and if it costs anything."""
    lines: dict[Table, set[str]] = {table: set() for table in Table}
    tagged: set[str] = set()
    for config, provider in _list_runs():
        run = program_run.run_program(config, provider, preview=True)
        tagged |= {resource.type for resource in run.graph if "tags" in resource.inputs}
        for fact in list_graph_facts(config, run.graph):
            lines[fact.table].add(fact.line)
    # In the other tables, a line is the fact itself.
    lines[Table.TYPES] = {_describe_type(kind, has_tags=kind in tagged) for kind in lines[Table.TYPES]}
    return {table: "".join(f"{line}\n" for line in sorted(lines[table])) for table in Table}


def list_graph_facts(config: StackConfig, resources: Any) -> Iterator[Fact]:
    """Yield the facts of resources, as the policy pack derives them from its own view of the resources."""
    context = read_stack_context(dict(config.values), config.project, datetime.now(UTC).date(), config.stack)
    for resource in resources:
        props = unknown_checking_proxy(deserialize_properties(MessageToDict(resource.request.object)))
        yield from list_resource_facts(CheckedResource(resource.urn, resource.type, resource.name, props, context))


def _list_runs() -> Iterator[tuple[StackConfig, PreviewProvider]]:
    """Yield the configuration and the provider of each run."""
    for stack in stack_files.list_stacks():
        yield stack_files.read_stack(stack), DeploymentProvider()
    prod = stack_files.read_stack("prod")
    for variant in SETTINGS_VARIANTS:
        values = dict(prod.values)
        for section, changes in variant.items():
            key = f"{prod.project}:{section}"
            values[key] = json.dumps(_merge(json.loads(values[key]), changes))
        for provider in (PreviewProvider(), DeploymentProvider()):
            yield StackConfig(prod.project, prod.stack, values, prod.secret_keys), provider


def _merge(settings: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with changes, which are merged into inner sections."""
    merged = dict(settings)
    for key, value in changes.items():
        merged[key] = _merge(merged.get(key) or {}, value) if isinstance(value, Mapping) else value
    return merged


def _describe_type(kind: str, *, has_tags: bool) -> str:
    """Return the line of a type. A type without a price rule is free only if the committed table says so."""
    known = tables.read_types().get(kind, frozenset())
    cost = tables.PRICED if kind in PRICED_TYPES else tables.FREE if tables.FREE in known else tables.UNDECIDED
    return " ".join([kind, *([tables.TAGGABLE] if has_tags else []), cost])


def find_stale_tables(built: Mapping[Table, str] | None = None) -> list[str]:
    """Return a line for each fact that a table lacks (+), or that no stack has any more (-)."""
    lines = []
    for table, text in (built or build_tables()).items():
        before, after = set(_table_path(table).read_text(encoding="utf-8").splitlines()), set(text.splitlines())
        lines += [f"+ {table}: {line}" for line in sorted(after - before)]
        lines += [f"- {table}: {line}" for line in sorted(before - after)]
    return lines


def _table_path(table: Table) -> Path:
    return tables.FOLDER / f"{table}.txt"


def command() -> int:
    """Write the tables for `make surface`, and print the new and the removed lines. Return the exit status."""
    built = build_tables()
    for line in find_stale_tables(built):
        print(line)
    for table, text in built.items():
        _table_path(table).write_text(text, encoding="utf-8")
    return 0
