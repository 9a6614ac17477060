"""What a model answered about a recording, kept below its `work/`: no question is paid for twice.

So a summary that breaks off, throttled or out of time, goes on where it was. An answer is kept under the hash of its
question and its model: another prompt, transcript, setting or model is another question.
"""

import hashlib
from typing import Literal, Protocol

from pydantic import Field, ValidationError

from handlers.common.messages import Message
from handlers.meetings.places import Recording
from handlers.meetings.summary import Tokens

MAX_BYTES = 2 * 1024**2


class KeptAnswer(Message):
    """An answer that could be used."""

    schema_version: Literal[1] = 1
    text: str = Field(repr=False)
    tokens: Tokens
    """What it cost, with the one before it that could not be used."""


class Store(Protocol):
    """Where objects are; each call raises StorageFailed."""

    def read(self, key: str, longest: int) -> bytes | None:
        """What an object holds, or one byte more than is taken of it; none where it is not there."""
        ...

    def write(self, key: str, data: str) -> None:
        """Keeps it, in place of what was there."""
        ...

    def write_new(self, key: str, data: str) -> bool:
        """Keeps it unless something is there already; whether it did."""
        ...


class KeptAnswers:
    """Those about one recording."""

    def __init__(self, store: Store, recording: Recording) -> None:
        self._store = store
        self._recording = recording

    def get(self, model_id: str, question: str) -> KeptAnswer | None:
        """The answer to a question; none where it was not answered yet, or what is kept is no answer."""
        data = self._store.read(self._key(model_id, question), MAX_BYTES)
        if data is None:
            return None
        try:
            return KeptAnswer.model_validate_json(data)
        except ValidationError:
            return None

    def keep(self, model_id: str, question: str, answer: KeptAnswer) -> None:
        """Keeps it."""
        self._store.write(self._key(model_id, question), answer.model_dump_json(by_alias=True))

    def _key(self, model_id: str, question: str) -> str:
        return self._recording.answer(hashlib.sha256(f"{model_id}\n{question}".encode()).hexdigest())
