"""Bedrock models of a stack, and the dates from which AWS may end them.

After its end of life, every request to a model fails. AWS announces the end at least six months before, by giving the
model the state `LEGACY`. Before this announcement, only the earliest possible date is known, from the model's card. A
preview warns when this date is near.
https://docs.aws.amazon.com/bedrock/latest/userguide/model-lifecycle.html
https://docs.aws.amazon.com/bedrock/latest/userguide/model-cards.html
"""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import NamedTuple

from components.blocks.bedrock.model_grants import split_model_id
from components.settings import StackSettings

WARNING_TIME = timedelta(days=90)
"""Time between the first warning of a preview and a model's earliest end."""
EARLIEST_ENDS: Mapping[str, date] = {
    "anthropic.claude-haiku-4-5-20251001-v1:0": date(2026, 10, 1),
    "anthropic.claude-haiku-5-5": date(2027, 10, 7),
    "anthropic.claude-sonnet-4-5-20250929-v1:0": date(2026, 9, 29),
    "anthropic.claude-sonnet-5-5": date(2027, 9, 28),
}
"""Id of a model → date from which AWS may end it ("EOL no sooner than" in its model card), read in November 2026."""


class UsedModel(NamedTuple):
    """Setting that names a model, and the model."""

    setting: str
    model_id: str
    """Id of the model without the prefix of an inference profile."""


def list_models(settings: StackSettings) -> tuple[UsedModel, ...]:
    """Return the models of the enabled subsystems."""
    meetings, livestream = settings.meetings, settings.livestream
    model_ids: dict[str, str] = {}
    if livestream.enabled:
        model_ids["livestream.agent.modelId"] = livestream.agent.model_id
    if meetings.enabled:
        model_ids["meetings.models.summary"] = meetings.models.summary
        model_ids["meetings.models.actionItems"] = meetings.models.action_items
    return tuple(UsedModel(setting, split_model_id(model_id)[1]) for setting, model_id in model_ids.items())


def warn_of_model_ends(settings: StackSettings, today: date) -> Iterator[str]:
    """Yield a warning for each setting whose model may end soon or has no known date."""
    for setting, model_id in list_models(settings):
        end = EARLIEST_ENDS.get(model_id)
        if end is None:
            yield (
                f"{setting}: the end of life of {model_id} is not known here. Look it up in its model card, and add it to "
                "components/model_lifecycle.py."
            )
        elif today >= end - WARNING_TIME:
            yield (
                f"{setting}: AWS may end {model_id} {'at any time' if today >= end else f'from {end}'}. Change to a newer "
                "model, or look up the new date in its model card."
            )
