"""Guardrail policy about Lambda runtimes: a function may not use a runtime whose support by AWS ends too soon. The
limit `months` is the minimum number of months from today. `runtime_support.toml` has the date on which AWS ends the
support of each runtime.
"""

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
DAYS_PER_MONTH = 30.4


@functools.cache
def load_support_ends() -> dict[str, date]:
    """Return the date on which support ends, by the runtime's name, for example `python3.13`."""
    with FILE.open("rb") as file:
        return tomllib.load(file)


@POLICIES.resource(
    "runtime-supported",
    severity=PolicySeverity.MEDIUM,
    levels=ADVISORY_IN_DEV,
    description="No function uses a runtime whose support by AWS ends sooner than the limit allows.",
    remedy="Use a newer runtime, or add a missing one to policies/guardrails/reliability/runtime_support.toml.",
    frameworks=("AWS FSBP Lambda.2",),
    limits=(PolicyLimit("months", 6, "Minimum number of months from today until the end of support."),),
    types={FUNCTION},
)
def _check_runtime_supported(function: CheckedResource) -> Iterator[str]:
    runtime = function.props.get("runtime")
    if runtime is None:  # a container image contains its own runtime
        return
    end = load_support_ends().get(runtime)
    if end is None:
        yield f"The runtime {runtime} is not in runtime_support.toml, so its end of support is not known."
    elif end - function.context.today < timedelta(days=function.limits["months"] * DAYS_PER_MONTH):
        yield f"Support for the runtime {runtime} ends on {end}, in less than {function.limits['months']:g} months."
