"""Test that the default of each environment variable of a handler equals the value that production deploys."""

from local.property_values import UNKNOWN
from operations.flag import find_environment_model
from tests.whole_program import ONE_WORKER, graph

pytestmark = ONE_WORKER


def test_handler_defaults_equal_the_production_settings() -> None:
    """Code that runs a handler outside Lambda, such as `compare_models`, uses the defaults."""
    compared, differing = 0, set()
    for function in graph("prod").customs():
        if function.kind == "Function":
            module = function.inputs["handler"].removeprefix("handlers.").removesuffix(".handler.handler")
            model = find_environment_model(module)
            deployed = function.inputs["environment"]["variables"]
            for name, default in model.model_construct().variables().items():
                if default and deployed[name] is not UNKNOWN:
                    compared += 1
                    differing |= {(model.__name__, name)} if deployed[name] != default else set()
    assert compared > 20
    assert differing == set()
