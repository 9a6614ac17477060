"""No function runs on a runtime that AWS stops supporting soon."""

import functools
import tomllib
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from guardrails.model.resource_types import FUNCTION
from guardrails.pack.policy_kinds import (
    ADVISORY_IN_DEV,
    CheckedResource,
    PolicyGroup,
    PolicyLimit,
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.RELIABILITY)

FILE = Path(__file__).with_name("runtime_support.toml")
DAYS_A_MONTH = 30.4


@functools.cache
def ends() -> dict[str, date]:
    """Runtime → the day on which its support ends."""
    with FILE.open("rb") as file:
        return tomllib.load(file)


@POLICIES.resource(
    "runtime-supported",
    severity=PolicySeverity.MEDIUM,
    levels=ADVISORY_IN_DEV,
    description="The support of every function's runtime lasts for some time yet.",
    remedy="Move to a newer runtime (policies/guardrails/reliability/runtime_support.toml has the days).",
    frameworks=("AWS FSBP Lambda.2",),
    limits=(PolicyLimit("months", 6, "Months that a runtime must still be supported."),),
    types={FUNCTION},
)
def _check_runtime_supported(function: CheckedResource) -> Iterator[str]:
    runtime = function.props.get("runtime")
    if runtime is None:  # an image brings its own
        return
    end = ends().get(runtime)
    if end is None:
        yield f"Of its runtime {runtime} nobody has looked up when its support ends."
    elif end - function.context.today < timedelta(days=function.limits["months"] * DAYS_A_MONTH):
        yield f"The support of its runtime {runtime} ends on {end}."
