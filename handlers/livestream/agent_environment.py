"""What the agent's worker reads from its environment."""

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from handlers.common.environment import HandlerEnvironment


class AgentEnvironment(HandlerEnvironment):
    """The agent's worker's."""

    table_name: str
    bucket_name: str
    memory_id: str
    model_id: str
    """A model's, or an inference profile's."""
    guardrail_id: str | None = None
    guardrail_version: Annotated[str, StringConstraints(pattern=r"^(?:[1-9][0-9]{0,7}|DRAFT)$")] | None = None
    window_characters: Annotated[int, Field(ge=500, le=50_000)] = 6_000
    """Of what is said in a window, before its overlap with the next."""
    window_seconds: Annotated[int, Field(ge=30, le=7_200)] = 600
    overlap_characters: Annotated[int, Field(ge=100, le=5_000)] = 600
    """The longest claim that is certain to stand whole in one window."""
    max_output_tokens: Annotated[int, Field(ge=256, le=32_000)] = 3_000
    temperature: Annotated[float | None, Field(ge=0, le=1)] = None
    """Not sent where there is none."""
    clip_min_seconds: Annotated[int, Field(ge=1, le=600)] = 10
    clip_max_seconds: Annotated[int, Field(ge=5, le=1_800)] = 90

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if (self.guardrail_id is None) != (self.guardrail_version is None):
            raise ValueError("a guardrail has an id and a version")
        if self.overlap_characters * 2 > self.window_characters:
            raise ValueError("windows overlap by half of their characters at most")
        if self.clip_min_seconds > self.clip_max_seconds:
            raise ValueError("the shortest clip is not longer than the longest")
        return self
