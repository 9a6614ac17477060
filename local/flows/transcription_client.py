"""Client for the transcription backend: it sends speech and shows captions.

The speech is made of recorded clips (see `speech_clips.py`). A client opens the session of its connection, with settings
for all its speech, and sends utterances: messages with a few seconds of speech. It receives captions: lines of text, each
for a result of Transcribe. A newer caption of a result replaces an older one. Each time that a client sends an utterance,
it is another attempt with a higher number, whose lines replace those of lower attempts.
"""

import base64
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from handlers.transcription.environment import PROTOCOL
from handlers.transcription.messages import TOKEN_PREFIX
from local.audio_formats import RATE
from local.flows import USER, Stack
from local.flows.speech_clips import encode_clips
from local.flows.websocket_client import Message, WebSocketClient, connect_to_api


class TranscriptionBackend:
    """Transcription of one stack, as a client uses it."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.url = stack.frontend["transcription"]["url"]

    def list_subprotocols(self, user: str) -> tuple[str, ...]:
        """Return the subprotocols with which a user connects. One contains a token, because browsers cannot set headers."""
        is_authenticated = self.stack.frontend.get("identity", {}).get("auth") == "oidc"
        return PROTOCOL, *([f"{TOKEN_PREFIX}{self.stack.token(user)}"] if is_authenticated else [])


@dataclass
class Screen:
    """Captions as a reader sees them: the latest caption of each result is one line."""

    lines: dict[tuple[int, int, str], Message] = field(default_factory=dict)
    """Visible captions. The key is the order of speech: sequence number of the utterance, start time, and result id."""
    shown: list[Message] = field(default_factory=list)
    """All captions in the order of their arrival."""
    attempts: dict[Any, int] = field(default_factory=dict)
    """Highest attempt at each utterance of which a caption or the end has arrived."""
    ended: set[Any] = field(default_factory=set)
    """Utterances that are done, or have failed without another attempt."""

    def apply(self, message: Message) -> None:
        """Add, replace or remove lines as a message of the service demands."""
        utterance, attempt = message.get("utterance"), message.get("attempt", 0)
        newest = self.attempts.get(utterance, 0)
        if utterance in self.ended or attempt < newest:
            return
        if message["type"] in {"caption", "done"}:
            self.attempts[utterance] = attempt
            self._remove(lambda line: line["utterance"] == utterance and line["attempt"] < attempt)
        match message:
            case {"type": "caption"}:
                self._remove(lambda line: (line["utterance"], line["resultId"]) == (utterance, message["resultId"]))
                self.shown.append(message)
                if message["text"]:  # an empty caption only removes the older one
                    self.lines[message["sequence"], message["startMs"], message["resultId"]] = message
            # `accepted` with `done` means that the utterance had ended before this attempt.
            case {"type": "done"} | {"type": "failed", "retryable": False} | {"type": "accepted", "done": True}:
                self.ended.add(utterance)
                self._remove(lambda line: line["utterance"] == utterance and not line["final"])

    def text(self) -> list[str]:
        """Return the lines in the order of speech."""
        return [self.lines[key]["text"] for key in sorted(self.lines)]

    def _remove(self, is_removed: Callable[[Message], bool]) -> None:
        self.lines = {key: line for key, line in self.lines.items() if not is_removed(line)}


class Speaker(WebSocketClient):
    """Client with one connection, and one session after `open`. Its screen shows the captions."""

    def __init__(
        self, backend: TranscriptionBackend, user: str = USER, protocols: tuple[str, ...] | None = None
    ) -> None:
        """Connect with a token of the user, or with the given subprotocols."""
        offered = protocols or backend.list_subprotocols(user)
        super().__init__(connect_to_api(backend.url, offered), backend.stack.patience_seconds)
        self.protocol = self._connection.subprotocol
        self.screen = Screen()
        self.encoding = "pcm"
        self.attempts: dict[str, int] = {}
        """Number of the last attempt at each utterance."""

    def open(self, **settings: Any) -> Message:
        """Open the session with these settings."""
        answer = self.ask("open", sampleRate=RATE, **settings)
        assert answer["type"] == "opened", answer
        self.encoding = settings.get("encoding", "pcm")
        return answer

    def say(self, utterance: str, *clips: str, sequence: int = 0) -> Message:
        """Send clips as one utterance, and return the response. The captions follow later."""
        return self.send_audio(utterance, encode_clips(self.encoding, *clips), sequence=sequence)

    def send_audio(self, utterance: str, audio: bytes, *, sequence: int = 0) -> Message:
        """Send bytes as the next attempt at an utterance, and return the response."""
        self.attempts[utterance] = self.attempts.get(utterance, 0) + 1
        return self.ask(
            "audio",
            utterance=utterance,
            attempt=self.attempts[utterance],
            sequence=sequence,
            audio=base64.b64encode(audio).decode(),
        )

    def wait_for_end(self, utterance: str) -> Message:
        """Wait for the message that the last attempt at an utterance is done or has failed, and return it."""

        def is_end(message: Message) -> bool:
            is_about_attempt = message.get("attempt") == self.attempts[utterance] and message["utterance"] == utterance
            return is_about_attempt and message["type"] in {"done", "failed"}

        return self._await(is_end, f"the end of {utterance}")

    def wait_until_done(self, utterance: str, *clips: str, sequence: int = 0) -> Message:
        """Wait for the message that an utterance is done, and return it.

        Send the utterance again after each failed attempt, which happens on a busy machine.
        """
        while (end := self.wait_for_end(utterance))["type"] == "failed":
            assert end["retryable"], end
            time.sleep(
                random.uniform(1, 2) * end.get("waitMs", 0) / 1000
            )  # random, so that clients do not retry together
            self.say(utterance, *clips, sequence=sequence)
        return end

    def _process(self, message: Message) -> None:
        self.screen.apply(message)
