"""What AWS Batch refuses of a job definition or a job, and whether it tries a job again. Pure.

https://docs.aws.amazon.com/batch/latest/APIReference/API_RegisterJobDefinition.html, API_SubmitJob.html,
API_EvaluateOnExit.html; https://docs.aws.amazon.com/batch/latest/userguide/job_retries.html.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Shape = Mapping[str, Any]

FARGATE = "FARGATE"
FARGATE_MEMORY = {
    "0.25": (512, 1024, 2048),
    "0.5": range(1024, 4097, 1024),
    "1": range(2048, 8193, 1024),
    "2": range(4096, 16385, 1024),
    "4": range(8192, 30721, 1024),
    "8": range(16384, 61441, 4096),
    "16": range(32768, 122881, 8192),
}
"""Mebibytes that a number of virtual processors may have."""
MOST_ATTEMPTS, MOST_CONDITIONS = 10, 5
LEAST_TIMEOUT = 60
OWN_PREFIX = "AWS_BATCH"
"""Variables that only the service itself may set."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_REASON = re.compile(r"[A-Za-z0-9.:\s]*\*?")
_EXIT_CODE = re.compile(r"[0-9]*\*?")
_CONDITIONS = {"onStatusReason": _REASON, "onReason": _REASON, "onExitCode": _EXIT_CODE}


@dataclass(frozen=True)
class Ending:
    """How an attempt ended. What nobody said is empty."""

    exit_code: int | None
    status_reason: str
    reason: str = ""
    """The container's own, such as that it had too little memory."""

    @property
    def succeeded(self) -> bool:
        """Whether it did, whatever else is said of it: a job that ends with 0 when it is told to stop is done."""
        return self.exit_code == 0


def refused_definition(definition: Shape) -> Iterator[str]:
    """All that is wrong with a job definition."""
    container = definition.get("containerProperties") or {}
    if definition.get("type") != "container" or not container.get("image"):
        yield "Only jobs of one container are played here: type container, and an image."
    yield from _wrong_strategy(definition.get("retryStrategy") or {})
    yield from _wrong_timeout(definition.get("timeout") or {})
    yield from _wrong_environment(container.get("environment") or [])
    if FARGATE in (definition.get("platformCapabilities") or []):
        yield from _wrong_on_fargate(container)


def refused_job(request: Shape) -> Iterator[str]:
    """All that is wrong with what is submitted."""
    if not _NAME.fullmatch(str(request.get("jobName", ""))):
        yield "Job name should match valid pattern"
    if request.keys() & {"arrayProperties", "dependsOn", "nodeOverrides", "eksPropertiesOverride"}:
        yield "Arrays of jobs, dependencies and other engines are not played here."
    yield from _wrong_strategy(request.get("retryStrategy") or {})
    yield from _wrong_timeout(request.get("timeout") or {})
    yield from _wrong_environment((request.get("containerOverrides") or {}).get("environment") or [])


def tried_again(strategy: Shape, attempts: int, ending: Ending) -> bool:
    """Whether a job whose last of so many attempts failed is tried again.

    The first entry all of whose conditions hold decides; where none does, it is. Only failures are asked about.
    """
    if ending.succeeded or attempts >= int(strategy.get("attempts", 1)):
        return False
    said = {
        "onStatusReason": ending.status_reason,
        "onReason": ending.reason,
        "onExitCode": "" if ending.exit_code is None else str(ending.exit_code),
    }
    for entry in strategy.get("evaluateOnExit") or []:
        if all(matches(entry[name], text) for name, text in said.items() if entry.get(name)):
            return str(entry["action"]).upper() == "RETRY"
    return True


def matches(pattern: str, text: str) -> bool:
    """Whether a text is this, or begins so where the pattern ends in an asterisk."""
    return text.startswith(pattern[:-1]) if pattern.endswith("*") else text == pattern


def _wrong_strategy(strategy: Shape) -> Iterator[str]:
    entries = strategy.get("evaluateOnExit") or []
    if not 1 <= int(strategy.get("attempts", 1)) <= MOST_ATTEMPTS:
        yield f"Retry attempts must be between 1 and {MOST_ATTEMPTS}"
    if entries and "attempts" not in strategy:
        yield "Retry attempts must be specified with evaluateOnExit"
    if len(entries) > MOST_CONDITIONS:
        yield f"evaluateOnExit takes at most {MOST_CONDITIONS} conditions"
    for entry in entries:
        if str(entry.get("action", "")).upper() not in {"RETRY", "EXIT"}:
            yield "Evaluate on exit action must be RETRY or EXIT"
        if not any(entry.get(name) for name in _CONDITIONS):
            yield "Evaluate on exit needs a condition"
        if not all(form.fullmatch(str(entry.get(name) or "")) for name, form in _CONDITIONS.items()):
            yield "Evaluate on exit condition contains restricted characters"


def _wrong_timeout(timeout: Shape) -> Iterator[str]:
    if int(timeout.get("attemptDurationSeconds", LEAST_TIMEOUT)) < LEAST_TIMEOUT:
        yield f"Timeout must be at least {LEAST_TIMEOUT} seconds"


def _wrong_environment(environment: list[Shape]) -> Iterator[str]:
    if any(str(one.get("name", "")).startswith(OWN_PREFIX) for one in environment):
        yield f"Environment variables cannot start with {OWN_PREFIX}"


def _wrong_on_fargate(container: Shape) -> Iterator[str]:
    if not container.get("executionRoleArn"):
        yield "Fargate jobs need an executionRoleArn"
    if container.keys() & {"vcpus", "memory"}:
        yield "Fargate jobs say vcpus and memory in resourceRequirements"
    if container.get("privileged") or container.get("instanceType"):
        yield "Fargate jobs have no privileges and no instance type"
    sizes = {one["type"]: str(one["value"]) for one in container.get("resourceRequirements") or []}
    memory = sizes.get("MEMORY", "")
    if not memory.isdigit() or int(memory) not in FARGATE_MEMORY.get(sizes.get("VCPU", ""), ()):
        yield f"Fargate has no container of {sizes.get('VCPU')} vCPU and {memory} MiB"
