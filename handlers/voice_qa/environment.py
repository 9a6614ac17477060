"""Environment variables that two functions of voice Q&A share, and types that stack settings use.

The functions are the WebSocket handler, which replies to the messages of clients, and the query worker, which answers
questions.
"""

from typing import Annotated

from pydantic import Field

from handlers.common.environment import HandlerEnvironment

AnswerSeconds = Annotated[float, Field(ge=10, le=840)]
"""Maximum number of seconds from a question to the end of its answer. It is less than 15 minutes, which is Lambda's
maximum timeout and also the maximum delay of the SQS message that triggers the check of this limit."""
MAX_QUERY_BYTES = 10_000_000
"""Default for the maximum size of a spoken question."""
SessionDays = Annotated[int, Field(ge=1, le=365)]
"""Number of days for which a question is stored. A conversation (the questions of one guest about a lecture, and their
answers) is stored for this number of days after its first answer."""


class VoiceQaEnvironment(HandlerEnvironment):
    """Environment variables of the WebSocket handler and the query worker. The annotated types define their meaning."""

    s3_bucket: str
    """Audio bucket: lectures, spoken questions and stored answers."""
    dynamodb_table: str
    session_days: SessionDays = 7
    max_query_bytes: Annotated[int, Field(ge=1_000, le=100_000_000)] = MAX_QUERY_BYTES
    answer_seconds: AnswerSeconds = 600
