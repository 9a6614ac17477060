"""The agent's environment is read back as it was written, and refused where it cannot be meant."""

import pytest
from pydantic import ValidationError

from handlers.livestream.agent_environment import AgentEnvironment

NEEDED = {"TABLE_NAME": "t", "BUCKET_NAME": "b", "MEMORY_ID": "m", "MODEL_ID": "us.model"}


def test_what_is_written_is_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    written = AgentEnvironment(
        **{name.lower(): value for name, value in NEEDED.items()},
        guardrail_id="abc",
        guardrail_version="DRAFT",
        log_level="DEBUG",
    )
    for name, value in written.variables().items():
        monkeypatch.setenv(name, value)
    assert AgentEnvironment.read() == written


def test_without_a_guardrail_there_is_no_variable_of_its() -> None:
    names = AgentEnvironment.model_validate(NEEDED).variables()
    assert not {"GUARDRAIL_ID", "GUARDRAIL_VERSION"} & names.keys()


@pytest.mark.parametrize(
    "changed",
    [
        {"GUARDRAIL_ID": "abc"},
        {"GUARDRAIL_VERSION": "1"},
        {"GUARDRAIL_ID": "abc", "GUARDRAIL_VERSION": "latest"},
        {"WINDOW_CHARACTERS": "1000", "OVERLAP_CHARACTERS": "501"},
        {"CLIP_MIN_SECONDS": "60", "CLIP_MAX_SECONDS": "59"},
        {"MAX_OUTPUT_TOKENS": "10"},
        {"ANSWER_SECONDS": "9"},
    ],
)
def test_what_cannot_be_meant_is_refused(changed: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        AgentEnvironment.model_validate({**NEEDED, **changed})


@pytest.mark.parametrize("name", NEEDED)
def test_each_name_is_needed(name: str) -> None:
    with pytest.raises(ValidationError):
        AgentEnvironment.model_validate({key: value for key, value in NEEDED.items() if key != name})
