"""What the function that has transcripts analyzed reads from its environment."""

from typing import Annotated

from pydantic import Field

from handlers.livestream.window_environment import WindowEnvironment


class TranscriptEnvironment(WindowEnvironment):
    """The function's own."""

    agent_queue_url: Annotated[str, Field(min_length=1)]
