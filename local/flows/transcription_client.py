"""Transcription, driven from outside: a client speaks into the WebSocket API and reads the captions that come back.

Nothing is scripted: the audio is real, and the local Transcribe hears its words in it (they are tones). Other words
make other captions.
"""

import base64
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from websockets.sync.client import connect
from websockets.typing import Subprotocol

from handlers.transcription.environment import FALLBACK, NAMESPACE, PROTOCOL
from handlers.transcription.messages import USER_PREFIX
from local.emulation.speech.audio_files import encode_audio
from local.emulation.speech.tone_words import speech
from local.flows import Deployment, invoke
from local.flows.websocket_dialogue import Dialogue, Message

SAMPLE_RATE = 16_000


class Refused(Exception):
    """A session was not opened; the message says why."""


class Captioning:
    """Transcription of a deployment."""

    def __init__(self, deployment: Deployment) -> None:
        self.client = deployment.client
        self.url = deployment.frontend("transcription")["url"]
        self.router = deployment.function("transcription-router")
        self.processor = deployment.ids["transcription-audio-processor-function"]
        self.live_table = deployment.ids["transcription-live-table"]

    def operate(self, **event: Any) -> dict[str, Any]:
        """Calls the router as its schedule does, or an operator."""
        return invoke(self.client, self.router, **event)

    def fallbacks(self) -> float:
        """How many fallbacks CloudWatch was told of."""
        now = time.time()
        points = self.client("cloudwatch").get_metric_statistics(
            Namespace=NAMESPACE,
            MetricName=FALLBACK,
            Dimensions=[{"Name": "FunctionName", "Value": self.processor}],
            StartTime=now - 3600,
            EndTime=now + 60,
            Period=3600,
            Statistics=["Sum"],
        )["Datapoints"]
        return sum(float(one["Sum"]) for one in points)


@dataclass
class Screen:
    """What a reader sees: each result is one line, replaced until it is final."""

    lines: dict[tuple[int, int, str], Message] = field(default_factory=dict)
    shown: list[Message] = field(default_factory=list)
    """Every caption, as it came."""

    def take(self, message: Message) -> None:
        """Follows one message."""
        match message["type"]:
            case "caption":
                self._remove(message["utterance"], message["resultId"])
                self.lines[message["sequence"], message["startMs"], message["resultId"]] = message
                self.shown.append(message)
            case "retract":
                self._remove(message["utterance"], message["resultId"], message["revision"])
            case "resend":
                for again in message["utterances"]:
                    self._cut(again["utterance"], again["fromMs"])

    def text(self) -> list[str]:
        """The lines in the order of speech."""
        return [self.lines[key]["text"] for key in sorted(self.lines)]

    def _remove(self, utterance: str, result_id: str, revision: int | None = None) -> None:
        """A line goes, unless it has changed since."""

        def meant(line: Message) -> bool:
            same = (line["utterance"], line["resultId"]) == (utterance, result_id)
            return same and (revision is None or line["revision"] <= revision)

        self.lines = {key: line for key, line in self.lines.items() if not meant(line)}

    def _cut(self, utterance: str, from_ms: int) -> None:
        """What is not final by then comes again with the utterance."""

        def holds(line: Message) -> bool:
            return bool(line["final"]) and line["endMs"] <= from_ms

        self.lines = {key: line for key, line in self.lines.items() if line["utterance"] != utterance or holds(line)}


class Speaker(Dialogue):
    """A client with one connection and, once it is opened, one session."""

    def __init__(self, url: str, user: str = "somebody", protocols: tuple[str, ...] | None = None) -> None:
        offered = protocols or (PROTOCOL, f"{USER_PREFIX}{user}")
        super().__init__(connect(url, subprotocols=[Subprotocol(one) for one in offered], proxy=None, close_timeout=1))
        self.protocol = self._connection.subprotocol
        self.screen = Screen()
        self.session = ""
        self.encoding = "pcm"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.session and error is None:
            self.ask("close", sessionId=self.session)
        super().__exit__(kind, error, trace)

    def drop(self) -> None:
        """Loses the connection; the session stays."""
        self.session = ""
        self._connection.close()

    def open(self, **asked: Any) -> Message:
        """Opens a session, or takes one over."""
        answer = self.ask("open", sampleRate=SAMPLE_RATE, **asked)
        if answer["type"] != "opened":
            raise Refused(f"{answer['code']}: {answer['message']}")
        self.session = answer["sessionId"]
        self.encoding = asked.get("encoding", "pcm")
        return answer

    def say(self, utterance: str, words: str, *, sequence: int = 0) -> Message:
        """Says words as one utterance; gives the router's answer, captions come later."""
        audio = encode_audio(speech(words.split(), SAMPLE_RATE), SAMPLE_RATE, self.encoding)
        return self.send_audio(utterance, audio, sequence=sequence)

    def send_audio(self, utterance: str, audio: bytes, *, sequence: int = 0) -> Message:
        """Sends any bytes as one utterance."""
        return self.ask(
            "audio",
            sessionId=self.session,
            utterance=utterance,
            sequence=sequence,
            audio=base64.b64encode(audio).decode(),
        )

    def ended(self, utterance: str) -> Message:
        """Waits until an utterance is done, or is to be sent again."""

        def ends(one: Message) -> bool:
            if one["type"] == "resend":
                return any(again["utterance"] == utterance for again in one["utterances"])
            return bool(one["type"] == "done" and one["utterance"] == utterance)

        return self._await(ends, f"the end of {utterance}")

    def done(self, utterance: str, words: str, *, sequence: int = 0) -> Message:
        """Waits until what was said is done. What is asked for again, as on a busy machine, is said again by any client."""
        while (end := self.ended(utterance))["type"] == "resend":
            self.say(utterance, words, sequence=sequence)
        return end

    def _take(self, message: Message) -> None:
        self.screen.take(message)
