"""Price rules of workflows, Glue jobs, Batch jobs, compute environments and MediaConvert queues."""

import json
from collections.abc import Mapping
from typing import Any

from guardrails.model.resource_types import BATCH_ENVIRONMENT, BATCH_JOB, GLUE_JOB, MEDIACONVERT_QUEUE, WORKFLOW
from guardrails.pricing.price_rule import PricedResource, PriceRule, PricingInput, Quantities, make_free_rule
from guardrails.pricing.rules.called_service_prices import CALLED_SERVICE_MEASURES, called_service_quantities

DPU = {"Standard": 1, "G.025X": 0.25, "G.1X": 1, "G.2X": 2, "G.4X": 4, "G.8X": 8}
"""Data processing units of one Glue worker, by worker type. Glue bills by DPU and hour."""
DEFAULT_WORKERS = 10
"""Number of workers of a Glue job that sets none."""
FREE_DISK_GB = 20
"""Free disk space of every Fargate task. More is billed while the task runs, on Fargate Spot and on demand."""


def _price_workflow(pricing: PricingInput) -> Quantities:
    if pricing.props.get("type") == "EXPRESS":
        yield "states_express_request", pricing.amount("executions")
        yield "states_express_gb_second", pricing.amount("expressGbSeconds")
    else:
        yield "states_transition", pricing.amount("transitions")
    yield from called_service_quantities(pricing)


def _price_glue_job(pricing: PricingInput) -> Quantities:
    workers = float(pricing.props.get("numberOfWorkers") or DEFAULT_WORKERS)
    units = float(pricing.props.get("maxCapacity") or DPU.get(str(pricing.props.get("workerType")), 1) * workers)
    price = "glue_flex_dpu_hour" if pricing.props.get("executionClass") == "FLEX" else "glue_dpu_hour"
    yield price, pricing.amount("runs") * pricing.amount("minutes") / 60 * units
    yield from called_service_quantities(pricing)


def _price_batch_job(pricing: PricingInput) -> Quantities:
    container: Mapping[str, Any] = json.loads(pricing.props.get("containerProperties") or "{}")
    size = {
        requirement["type"]: float(requirement["value"]) for requirement in container.get("resourceRequirements", [])
    }
    platform = container.get("runtimePlatform", {}).get("cpuArchitecture", "X86_64")
    disk = max(0, float(container.get("ephemeralStorage", {}).get("sizeInGiB", FREE_DISK_GB)) - FREE_DISK_GB)
    processor = "arm64" if platform == "ARM64" else "x86"
    for kind, hours in (("fargate_spot", pricing.amount("spotHours")), ("fargate", pricing.amount("onDemandHours"))):
        yield f"{kind}_vcpu_hour_{processor}", hours * size.get("VCPU", 0)
        yield f"{kind}_gb_hour_{processor}", hours * size.get("MEMORY", 0) / 1024
        yield "fargate_disk_gb_hour", hours * disk
        if container.get("networkConfiguration", {}).get("assignPublicIp") == "ENABLED":
            yield "public_address_hour", hours
    yield from called_service_quantities(pricing)


def _describe_minimum_machines(environment: PricedResource) -> str:
    number = float((environment.props.get("computeResources") or {}).get("minVcpus") or 0)
    return f"machines of {number:g} vCPUs that always run" if number else ""


def _describe_reserved_slots(queue: PricedResource) -> str:
    return "reserved slots, which are billed for a year" if queue.props.get("pricingPlan") == "RESERVED" else ""


PRICE_RULES = {
    WORKFLOW: PriceRule(
        _price_workflow,
        required_measures={"transitions": "state transitions (Standard workflows)"},
        optional_measures={
            **CALLED_SERVICE_MEASURES,
            "executions": "executions (Express workflows)",
            "expressGbSeconds": "GB-seconds (Express workflows)",
        },
    ),
    GLUE_JOB: PriceRule(
        _price_glue_job,
        required_measures={"runs": "runs of the job", "minutes": "average minutes of one run"},
        optional_measures=CALLED_SERVICE_MEASURES,
    ),
    BATCH_JOB: PriceRule(
        _price_batch_job,
        required_measures={"spotHours": "hours that jobs run on Fargate Spot, all jobs together"},
        optional_measures={
            **CALLED_SERVICE_MEASURES,
            "onDemandHours": "hours that jobs run on demand, all jobs together",
        },
    ),
    BATCH_ENVIRONMENT: make_free_rule(_describe_minimum_machines),
    MEDIACONVERT_QUEUE: make_free_rule(_describe_reserved_slots),
}
