"""Environment variables that the block `Function` sets, built from the model with which the handler reads them."""

import operator
from collections.abc import Mapping

import pulumi

from handlers.common.environment import HandlerEnvironment

PLACEHOLDER = "known-later"
"""Text in place of a value that is not known yet, so that the environment model can validate the others at preview."""


class InvalidEnvironment(ValueError):
    """The values of a function's environment do not fit the model with which its handler reads them."""


def environment_variables(
    model: type[HandlerEnvironment], values: Mapping[str, object]
) -> dict[str, pulumi.Input[str]]:
    """Return the environment variables for the fields of the model with which the handler reads them.

    Component and handler use the same model, so both use the same names. A value without a field, or a field with
    neither a value nor a default, stops the preview. A value that is known only after deployment (an API's URL) is an
    Output. Only its own variable is then unknown at preview.
    """
    if unknown := sorted(set(values) - set(model.model_fields)):
        raise InvalidEnvironment(
            f"{model.__name__} has no field {', '.join(unknown)}. Its fields are {', '.join(sorted(model.model_fields))}"
        )
    late_fields = [name for name, value in values.items() if isinstance(value, pulumi.Output)]
    # The model needs all values to build any variable. The placeholders let it build the variables that are known at
    # preview. Once all values are known, it validates them together.
    placeholders = dict.fromkeys(late_fields, PLACEHOLDER)
    variables: dict[str, pulumi.Input[str]] = {**model.model_validate({**values, **placeholders}).variables()}
    if late_fields:
        all_variables = pulumi.Output.all(**values).apply(lambda known: model.model_validate(known).variables())
        for name in late_fields:
            variables[name.upper()] = all_variables.apply(operator.itemgetter(name.upper()))
    return variables
