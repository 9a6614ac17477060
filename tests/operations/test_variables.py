"""A function's variables are held against the model that it reads them by."""

from collections.abc import Mapping

import pytest

from handlers.common.environment import HandlerEnvironment
from handlers.livestream.agent_environment import AgentEnvironment
from handlers.meetings.summary_environment import SummaryEnvironment
from handlers.voice_qa.environment import SocketEnvironment, WorkerEnvironment
from operations.variables import refusal


def present(model: type[HandlerEnvironment]) -> Mapping[str, str]:
    """What a function of this model has: its defaults, and some text where there is none."""
    return {
        **{one.alias or name: "x" for name, one in model.model_fields.items() if one.is_required()},
        **model.model_construct().variables(),
    }


@pytest.mark.parametrize(
    ("subsystem", "model", "name", "value", "says"),
    [
        ("voice-qa", WorkerEnvironment, "ANSWER_SECONDS", "1000", "less than or equal to 840"),
        ("voice-qa", SocketEnvironment, "LECTURES_PER_DAY", "2.5", "valid integer"),
        ("meetings", SummaryEnvironment, "AT_ONCE", "20", "less than or equal to 10"),
        ("meetings", SummaryEnvironment, "PART_CHARACTERS", "2000", "overlap"),
        ("livestream", AgentEnvironment, "CLIP_MIN_SECONDS", "200", "not longer"),
    ],
)
def test_what_a_function_would_refuse_is_refused_also_by_the_rules_of_its_group(
    subsystem: str, model: type[HandlerEnvironment], name: str, value: str, says: str
) -> None:
    now = present(model)
    assert refusal(subsystem, now, name, now[name]) is None
    said = refusal(subsystem, now, name, value)
    assert said is not None
    assert says in said
    assert value not in said.split()


def test_variables_that_no_model_has_are_nobodys_to_judge() -> None:
    assert refusal("transcription", {"PRIVATE": "1"}, "PRIVATE", "x") is None
    assert refusal("no-such", {"LOG_LEVEL": "INFO"}, "LOG_LEVEL", "loud") is None
