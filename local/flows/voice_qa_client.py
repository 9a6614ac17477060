"""Client for the voice Q&A backend.

A guest (a browser user without a login) uploads a lecture, asks questions, and receives answers. An answer consists of
numbered pieces: transcript, text, audio and citations. The lectures and spoken questions are made of clips (see
`speech_clips.py`).
"""

import base64
import json
import uuid
from dataclasses import dataclass, field
from typing import Any

from local.flows import Stack, eventually
from local.flows.http_requests import post_form, send
from local.flows.identity_pool_guest import Guest
from local.flows.speech_clips import encode_clips
from local.flows.websocket_client import Message, WebSocketClient


class VoiceQaBackend:
    """Voice Q&A of one stack, as guests use it."""

    def __init__(self, stack: Stack) -> None:
        self.frontend = stack.frontend["voiceQa"]
        self.stack = stack
        self.url, self.pool_id = self.frontend["url"], self.frontend["identityPoolId"]

    def create_guest(self) -> Guest:
        return Guest.from_pool(self.stack.connect, self.pool_id)


@dataclass
class ReceivedAnswer:
    """Answer, or the part of it that was received so far."""

    pieces: list[Message] = field(default_factory=list)
    """Pieces in the order of their arrival."""
    end: Message | None = None
    """Message that ended the answer or reported its failure, or None before that."""

    def add(self, piece: Message) -> None:
        """Add a new piece. If it belongs to a newer attempt to answer the question, remove the pieces of earlier attempts."""
        self.pieces = [other for other in self.pieces if other["attempt"] >= piece["attempt"]]
        if piece["number"] not in self.numbers:
            self.pieces.append(piece)

    def transcript(self) -> str:
        """Return the text of the question, as the agent understood it."""
        return "".join(piece["text"] for piece in self.pieces if piece["type"] == "transcript")

    def text(self) -> str:
        return "".join(piece["text"] for piece in self.pieces if piece["type"] == "text")

    def citations(self) -> list[Message]:
        return [piece for piece in self.pieces if piece["type"] == "citation"]

    def audio(self) -> bytes:
        return b"".join(base64.b64decode(piece["audio"]) for piece in self.pieces if piece["type"] == "audio")

    @property
    def numbers(self) -> list[int]:
        return [piece["number"] for piece in self.pieces]


class GuestConnection(WebSocketClient):
    """WebSocket connection of a guest."""

    def __init__(self, backend: VoiceQaBackend, guest: Guest | None = None) -> None:
        self.guest = guest or backend.create_guest()
        super().__init__(self.guest.connect(backend.url), backend.stack.patience_seconds)
        self.answers: dict[str, ReceivedAnswer] = {}
        """Answers by the id of the question (the query)."""

    def request_guest_id(self) -> str:
        """Return the guest id, a keyed hash of the identity id. The keys of the guest's uploads contain it."""
        key = str(self.ask("upload", kind="query", contentType="audio/ogg")["key"])
        return key.split("/")[1]  # the key is `queries/<guest id>/…`

    def upload_lecture(self, *clips: str, encoding: str = "ogg-opus", content_type: str = "audio/ogg") -> str:
        """Upload a spoken lecture, and return its id."""
        ready = self.ask("upload", kind="lecture", contentType=content_type)
        upload_by_form(ready, encode_clips(encoding, *clips))
        return str(ready["lectureId"])

    def await_lecture(self, lecture_id: str) -> Message:
        """Wait until a lecture of this guest is validated, and return its state."""

        def find_validated() -> Message | None:
            report = self.ask("lecture", lectureId=lecture_id)
            return None if report["state"] == "pending" else report

        return eventually(find_validated, "a validated lecture", self._patience_seconds)

    def upload_question(self, clip: str) -> str:
        """Upload a spoken question, and return its S3 key."""
        ready = self.ask("upload", kind="query", contentType="audio/ogg")
        upload_by_form(ready, encode_clips("ogg-opus", clip))
        return str(ready["key"])

    def ask_question(
        self, lecture_id: str, query_id: str | None = None, **content: Any
    ) -> tuple[Message, ReceivedAnswer]:
        """Ask a question, with its text or audio in `content`. Return the response to it, and the whole answer.

        After an error, the answer is empty. If the question was answered before, the stored answer is downloaded.
        """
        query_id = query_id or uuid.uuid4().hex
        response = self.ask("query", queryId=query_id, lectureId=lecture_id, **content)
        if response["type"] == "error":
            return response, ReceivedAnswer()
        if "piecesUrl" in response:
            lines = send("GET", response["piecesUrl"]).data.splitlines()
            return response, ReceivedAnswer([json.loads(line) for line in lines])
        return response, self.wait_for_answer(query_id)

    def wait_for_answer(self, query_id: str) -> ReceivedAnswer:
        """Wait until an answer has ended or failed, and return it."""
        answer = self.answers.setdefault(query_id, ReceivedAnswer())
        while answer.end is None:
            self._await(lambda message: message.get("queryId") == query_id, f"the answer to {query_id}")
        return answer

    def _process(self, message: Message) -> None:
        """Add a piece or the end to the answer that the message belongs to. Other messages are ignored."""
        if "queryId" not in message or message["type"] == "queryAccepted":
            return
        answer = self.answers.setdefault(message["queryId"], ReceivedAnswer())
        if "number" in message:
            answer.add(message)
        else:
            answer.end = message


def upload_by_form(ready: Message, audio: bytes) -> int:
    """Upload audio with the form in the message `uploadReady`, and return the HTTP status."""
    return post_form(ready["url"], ready["fields"], audio).status
