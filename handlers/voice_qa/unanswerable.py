"""Why a question cannot be put to an agent."""

from handlers.voice_qa.protocol import Code


class Unanswerable(Exception):
    """The question cannot be put to an agent; why is for the client."""

    def __init__(self, code: Code, message: str, *, retryable: bool = False) -> None:
        super().__init__(code.value)
        self.code = code
        self.message = message
        self.retryable = retryable
