"""Language models on Amazon Bedrock that a stack uses.

A preview warns of models that AWS may end soon. The deployment workflow reads the models' ids (`python -m local models`).
"""

from collections.abc import Iterator
from datetime import date

from components.model_lifecycle import list_models, warn_of_model_ends
from components.settings import SettingsError, StackSettings, load_settings
from local import CannotRun
from local.preview import stack_files
from local.preview.stack_files import StackConfig


def list_warnings(config: StackConfig, today: date) -> Iterator[str]:
    """Return a warning for each setting whose model AWS may end soon, or whose model has no known end date."""
    return warn_of_model_ends(_load(config), today)


def command(stack: str) -> int:
    """Print the ids of the models that the stack uses, one per line. Return 0."""
    for model_id in sorted({model.model_id for model in list_models(_load(stack_files.read_stack(stack)))}):
        print(model_id)
    return 0


def _load(config: StackConfig) -> StackSettings:
    try:
        return load_settings(config.values, config.stack)
    except SettingsError as error:
        raise CannotRun(str(error)) from error
