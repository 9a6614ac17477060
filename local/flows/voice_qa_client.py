"""Voice Q&A, driven from outside: a guest uploads a lecture and a spoken question, asks, and hears the answer.

The local agent listens to both and answers from what it heard (words are tones): another lecture, another answer.
"""

import base64
import uuid
from dataclasses import dataclass, field
from typing import Any

from handlers.common.aws.dynamodb_values import stored
from handlers.voice_qa.table_records import lecture_key
from local.emulation.speech.audio_files import encode_audio
from local.emulation.speech.tone_words import speech
from local.flows import Deployment, eventually, invoke
from local.flows.guest_client import Guest
from local.flows.http_requests import post_form
from local.flows.websocket_dialogue import Dialogue, Message

SAMPLE_RATE = 16_000


class Lectures:
    """Voice Q&A of a deployment."""

    def __init__(self, deployment: Deployment) -> None:
        known = deployment.frontend("voiceQa")
        self.client = deployment.client
        self.endpoint = deployment.emulator.endpoint
        self.url, self.pool_id = known["url"], known["identityPoolId"]
        self.bucket = deployment.ids["voice-qa-audio-bucket"]
        self.table = deployment.ids["voice-qa-sessions-table"]
        self.validator = deployment.function("voice-qa-validate-lecture")

    def guest(self) -> Guest:
        """Somebody new."""
        return Guest.of(self.endpoint, self.pool_id)

    def record(self, lecture_id: str) -> Message | None:
        """What is known of a lecture, once it was validated."""
        key = stored(lecture_key(lecture_id))
        item = self.client("dynamodb").get_item(TableName=self.table, Key=key, ConsistentRead=True).get("Item", {})
        return {name: next(iter(value.values())) for name, value in item.items()} if "status" in item else None

    def validated(self, lecture_id: str) -> Message:
        """Waits until a lecture was looked at."""
        return eventually(lambda: self.record(lecture_id), "a validated lecture")

    def turns(self, identity: str, session: str, lecture_id: str) -> int:
        """How many turns a conversation had."""
        key = {"sessionId": {"S": f"{identity}#{session}"}, "lectureId": {"S": lecture_id}}
        item = self.client("dynamodb").get_item(TableName=self.table, Key=key, ConsistentRead=True)["Item"]
        return int(item["totalTurns"]["N"])

    def sweep(self) -> dict[str, Any]:
        """Calls the validator as its schedule does."""
        return invoke(self.client, self.validator, kind="sweep")


@dataclass
class Heard:
    """What came of one question."""

    pieces: list[Message] = field(default_factory=list)
    end: Message | None = None
    repeated: int = 0
    """Pieces that came once more: whether a message arrived is not always known to whoever sent it."""

    def hear(self, piece: Message) -> None:
        """One piece. An answer that began anew takes the place of what was heard of it."""
        self.pieces = [one for one in self.pieces if one["attempt"] >= piece["attempt"]]
        if any(one["number"] == piece["number"] for one in self.pieces):
            self.repeated += 1
        else:
            self.pieces.append(piece)

    def text(self) -> str:
        """The answer's words."""
        return "".join(one["text"] for one in self.pieces if one["type"] == "text")

    def citations(self) -> list[Message]:
        """Where it is from."""
        return [one for one in self.pieces if one["type"] == "citation"]

    def audio(self) -> bytes:
        """The spoken answer, its files one after the other."""
        return b"".join(base64.b64decode(one["audio"]) for one in self.pieces if one["type"] == "audio")

    @property
    def numbers(self) -> list[int]:
        """The pieces' numbers, as they came."""
        return [one["number"] for one in self.pieces]


class Listener(Dialogue):
    """A guest with one connection."""

    def __init__(self, lectures: Lectures, guest: Guest | None = None) -> None:
        self.guest = guest or lectures.guest()
        super().__init__(self.guest.connect(lectures.url))
        self.heard: dict[str, Heard] = {}

    def upload_lecture(self, words: str, encoding: str = "ogg-opus", content_type: str = "audio/ogg") -> str:
        """Says a lecture, uploads it; gives its id."""
        audio = encode_audio(speech(words.split(), SAMPLE_RATE), SAMPLE_RATE, encoding)
        ready = self.ask("upload", kind="lecture", contentType=content_type)
        post(ready, audio)
        return str(ready["lectureId"])

    def upload_question(self, words: str) -> str:
        """Says a question, uploads it; gives its key."""
        audio = encode_audio(speech(words.split(), SAMPLE_RATE), SAMPLE_RATE, "ogg-opus")
        ready = self.ask("upload", kind="query", contentType="audio/ogg")
        post(ready, audio)
        return str(ready["key"])

    def question(self, lecture_id: str, query_id: str | None = None, **how: Any) -> tuple[Message, Heard]:
        """Asks, and listens to the end."""
        query_id = query_id or uuid.uuid4().hex
        answer = self.ask("query", queryId=query_id, lectureId=lecture_id, **how)
        if answer["type"] == "error":
            return answer, Heard()
        return answer, self.listen(query_id)

    def listen(self, query_id: str) -> Heard:
        """Waits until a question is answered, or is not."""
        heard = self.heard.setdefault(query_id, Heard())
        while heard.end is None:
            self._await(lambda one: one.get("queryId") == query_id, f"the answer to {query_id}")
        return heard

    def _take(self, message: Message) -> None:
        heard = self.heard.setdefault(message["queryId"], Heard()) if "queryId" in message else None
        if heard is None or message["type"] == "queryAccepted":
            return
        if "number" in message:
            heard.hear(message)
        else:
            heard.end = message


def post(ready: Message, audio: bytes) -> int:
    """Uploads as a browser's form does; the status."""
    return post_form(ready["url"], ready["fields"], audio).status
