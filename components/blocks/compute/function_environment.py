"""Environment variables of a function, built from the model with which its handler reads them.

Component and handler use the same model, so both use the same names. A value without a field in the model, or a field
without a value, stops the preview.
"""

import operator
from collections.abc import Mapping

import pulumi

from handlers.common.environment import HandlerEnvironment

MAX_ENVIRONMENT_BYTES = 4096
PLACEHOLDER = "known-later"
"""Text in place of a value that is not known yet, so that the model can validate the other values at preview."""
RESERVED = frozenset(
    [
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_LAMBDA_RUNTIME_API",
        "LAMBDA_TASK_ROOT",
        "LAMBDA_RUNTIME_DIR",
        "TZ",
    ]
)
"""Names that Lambda sets itself and does not accept from the configuration (Lambda developer guide, environment
variables)."""


class InvalidEnvironment(ValueError):
    """The handler or Lambda would not accept the function's environment."""


def environment_variables(
    model: type[HandlerEnvironment], values: Mapping[str, object], added: Mapping[str, pulumi.Input[str]]
) -> pulumi.Input[Mapping[str, pulumi.Input[str]]]:
    """Return the variables for the fields of `model`, and the variables in `added`, which libraries such as the AWS SDK
    read.

    `values` contains the fields' values by field name. A value that is known only after deployment (an API's URL) is an
    Output. Only its own variable is then unknown at preview.
    """
    fields = set(model.model_fields)
    if unknown := sorted(set(values) - fields):
        raise InvalidEnvironment(
            f"{model.__name__} has no field {', '.join(unknown)}. Its fields are {', '.join(sorted(fields))}"
        )
    late_variables = {name: value for name, value in added.items() if not isinstance(value, str)}
    known_added = {name: value for name, value in added.items() if isinstance(value, str)}
    check_limits(dict.fromkeys(late_variables, ""))  # checks only the names, because the values are not known yet

    def build_variables(known_values: Mapping[str, object]) -> dict[str, str]:
        return check_limits({**model.model_validate(known_values).variables(), **known_added})

    pending_fields = {name for name, value in values.items() if isinstance(value, pulumi.Output)}
    if not pending_fields:
        return {**build_variables(values), **late_variables}
    all_variables = pulumi.Output.all(**values).apply(build_variables)
    # The model needs all values to build any variable. The placeholders let it build the variables that are known at
    # preview. Once all values are known, it validates them together.
    variables = build_variables(
        {name: PLACEHOLDER if name in pending_fields else value for name, value in values.items()}
    )
    for name in pending_fields:
        variable = name.upper()
        variables.pop(variable, None)
        late_variables[variable] = all_variables.apply(operator.itemgetter(variable))
    return {**variables, **late_variables}


def check_limits(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment, or raise InvalidEnvironment if Lambda would refuse it."""
    if reserved := sorted(RESERVED & set(environment)):
        raise InvalidEnvironment(f"{', '.join(reserved)}: Lambda sets this variable itself. Choose another name")
    size = sum(len(key.encode()) + len(value.encode()) for key, value in environment.items())
    if size > MAX_ENVIRONMENT_BYTES:
        raise InvalidEnvironment(
            f"the environment has {size} bytes, but Lambda allows {MAX_ENVIRONMENT_BYTES}. Store large values elsewhere and pass a reference"
        )
    return dict(environment)
