"""Workflows, Glue jobs, Batch jobs and what they run on."""

import json
from collections.abc import Mapping
from typing import Any

from guardrails.model.resource_types import BATCH_ENVIRONMENT, BATCH_JOB, GLUE_JOB, MEDIA_QUEUE, WORKFLOW
from guardrails.pricing.price_rule import Bill, Priced, Quantities, Rule, free_but
from guardrails.pricing.rules.called_service_prices import MEASURES, called

DPU = {"Standard": 1, "G.025X": 0.25, "G.1X": 1, "G.2X": 2, "G.4X": 4, "G.8X": 8}
DEFAULT_WORKERS = 10
FREE_DISK_GB = 20
"""What every Fargate task has; more is paid as long as it runs, on spare capacity as on demand."""


def _workflow(bill: Bill) -> Quantities:
    if bill.props.get("type") == "EXPRESS":
        yield "states_express_request", bill.of("executions")
        yield "states_express_gb_second", bill.of("expressGbSeconds")
    else:
        yield "states_transition", bill.of("transitions")
    yield from called(bill)


def _glue(bill: Bill) -> Quantities:
    workers = float(bill.props.get("numberOfWorkers") or DEFAULT_WORKERS)
    units = float(bill.props.get("maxCapacity") or DPU.get(str(bill.props.get("workerType")), 1) * workers)
    price = "glue_flex_dpu_hour" if bill.props.get("executionClass") == "FLEX" else "glue_dpu_hour"
    yield price, bill.of("runs") * bill.of("minutes") / 60 * units
    yield from called(bill)


def _batch(bill: Bill) -> Quantities:
    container: Mapping[str, Any] = json.loads(bill.props.get("containerProperties") or "{}")
    size = {each["type"]: float(each["value"]) for each in container.get("resourceRequirements", [])}
    platform = container.get("runtimePlatform", {}).get("cpuArchitecture", "X86_64")
    disk = max(0, float(container.get("ephemeralStorage", {}).get("sizeInGiB", FREE_DISK_GB)) - FREE_DISK_GB)
    processor = "arm64" if platform == "ARM64" else "x86"
    for kind, hours in (("fargate_spot", bill.of("spotHours")), ("fargate", bill.of("onDemandHours"))):
        yield f"{kind}_vcpu_hour_{processor}", hours * size.get("VCPU", 0)
        yield f"{kind}_gb_hour_{processor}", hours * size.get("MEMORY", 0) / 1024
        yield "fargate_disk_gb_hour", hours * disk
        if container.get("networkConfiguration", {}).get("assignPublicIp") == "ENABLED":
            yield "public_address_hour", hours
    yield from called(bill)


def _machines(environment: Priced) -> str:
    number = float((environment.props.get("computeResources") or {}).get("minVcpus") or 0)
    return f"machines of {number:g} vCPUs that always run" if number else ""


def _slots(queue: Priced) -> str:
    return "slots that are reserved for a year" if queue.props.get("pricingPlan") == "RESERVED" else ""


RULES = {
    WORKFLOW: Rule(
        _workflow,
        needs={"transitions": "state transitions (Standard workflows)"},
        also={
            **MEASURES,
            "executions": "executions (Express workflows)",
            "expressGbSeconds": "GB-seconds (Express workflows)",
        },
    ),
    GLUE_JOB: Rule(
        _glue, needs={"runs": "runs of the job", "minutes": "minutes that one run takes on average"}, also=MEASURES
    ),
    BATCH_JOB: Rule(
        _batch,
        needs={"spotHours": "hours that jobs run on spare capacity, all together"},
        also={**MEASURES, "onDemandHours": "hours that jobs run on demand, all together"},
    ),
    BATCH_ENVIRONMENT: free_but(_machines),
    MEDIA_QUEUE: free_but(_slots),
}
