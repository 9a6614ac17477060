"""Guardrail policy about Lambda runtimes: a function may not use a runtime whose support by AWS ends too soon.
`runtime_support.toml` has the date on which AWS ends the support of each runtime.
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
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.RELIABILITY)

FILE = Path(__file__).with_name("runtime_support.toml")
DAYS_PER_MONTH = 30.4
MIN_MONTHS = 6
"""Minimum number of months from today until the end of support."""


@functools.cache
def load_support_ends() -> dict[str, date]:
    """Return the date on which support ends, by the runtime's name, for example `python3.13`."""
    with FILE.open("rb") as file:
        return tomllib.load(file)


@POLICIES.resource(
    "runtime-supported",
    severity=PolicySeverity.MEDIUM,
    levels=ADVISORY_IN_DEV,
    description=f"No function uses a runtime whose support by AWS ends in less than {MIN_MONTHS} months.",
    remedy="Use a newer runtime, or add a missing one to policies/guardrails/reliability/runtime_support.toml.",
    frameworks=("AWS FSBP Lambda.2",),
    types={FUNCTION},
)
def _check_runtime_supported(function: CheckedResource) -> Iterator[str]:
    runtime = function.props.get("runtime")
    if runtime is None:  # a container image contains its own runtime
        return
    end = load_support_ends().get(runtime)
    if end is None:
        yield f"The runtime {runtime} is not in runtime_support.toml, so its end of support is not known."
    elif end - function.context.today < timedelta(days=MIN_MONTHS * DAYS_PER_MONTH):
        yield f"Support for the runtime {runtime} ends on {end}, in less than {MIN_MONTHS} months."
