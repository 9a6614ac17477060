"""Delivery of one utterance's captions to the client, without repeating text that another utterance shows.

An utterance is a few seconds of speech. Amazon Transcribe recognises it in pieces, called results. Each result has one
line on the client's screen, and each caption replaces the text of its line. A partial is a caption that may still
change, a final one that may not.

Utterances may overlap, so two of them can contain the same words. Before a caption is sent, its text is reserved under
a keyed hash in the live table, which stores the state of connections and sessions in use. If another utterance has
reserved the text, the caption is not shown.

If a client has reconnected, its captions are sent over the new connection.

An utterance may be transcribed in several attempts, one after another. Only the newest attempt can hold the utterance's
slot, an entry of the live table for an utterance in progress. An attempt that has lost the slot must not send finals.
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from handlers.common.json_models import Message
from handlers.common.logging import EventLog
from handlers.common.websocket import WebSocketConnections
from handlers.transcription.audio_processor.captions import Caption, normalize_text
from handlers.transcription.live_table import LiveTable, TextReservation, text_reservation_key
from handlers.transcription.messages import CaptionMessage, ProcessorEvent, Retract
from handlers.transcription.session_table import Session


class ClientGone(Exception):
    """The session's client has no open connection."""


class SlotLost(Exception):
    """The attempt lost the utterance's slot, because a newer attempt took it or the slot's deadline is over."""


@dataclass
class DeliveredLine:
    """A line that the client shows. Each caption for the same result replaces the line's text."""

    revision: int
    """Revision number of the newest caption of the line."""
    final: bool
    reservation_key: str | None
    """Key of the text reservation, if the line is final and its text was reserved."""


class CaptionDelivery:
    def __init__(
        self,
        event: ProcessorEvent,
        session: Session,
        connection: str,
        *,
        live: LiveTable,
        connections: WebSocketConnections,
        dedup_seconds: int,
        clock_ms: Callable[[], int],
        log: EventLog,
    ) -> None:
        self._event = event
        self._session = session
        self._connection = connection
        self._live = live
        self._connections = connections
        self._dedup_seconds = dedup_seconds
        self._clock_ms = clock_ms
        self._log = log
        self._lines: dict[str, DeliveredLine] = {}
        self._used_connections = {connection} if event.from_ms else set[str]()
        """Connections over which finals and other messages were sent that the client must receive. Partials may be
        lost.

        If the attempt starts at a position above 0 (`from_ms`), finals of earlier attempts remain valid. They were sent
        over `connection`, because `from_ms` is 0 after a change of the connection."""
        self._revisions = 0
        """Number of captions so far, which is also the revision of the newest caption."""
        accepted_ms = clock_ms() if event.accepted_ms is None else event.accepted_ms
        self._first_sample_ms = accepted_ms - event.from_ms
        """Time of position 0 of the utterance, for the latencies. It is assumed that the user spoke the words at the
        position `from_ms` when the router accepted the attempt, and the following words after that in real time."""
        self.latencies_ms: list[int] = []
        """For each delivered caption, the time from the end of its speech to its delivery."""
        self.duplicate_count = 0
        """Number of captions that were not shown because another utterance has reserved their text."""

    def show(self, caption: Caption, offset_ms: int) -> None:
        """Send one caption to the client. If its text must not be shown, remove the line of its result instead.

        `offset_ms` is the position in the utterance at which the stream started. Raise SlotLost, ClientGone, or the
        error of a final that could not be sent.
        """
        final = caption.final
        # This check reads the table, so it is left out for partials. It is made for the final that follows.
        if final or not caption.text:
            self._check_attempt()
        self._revisions += 1
        key = self._reservation_key(caption.text)
        if not caption.text or (key and not self._reserve(caption, key)):
            self.retract(caption.result_id)
            return
        # Recorded before the message is sent, because the message may arrive even if sending fails.
        self._lines[caption.result_id] = DeliveredLine(self._revisions, final, key if final else None)
        message = CaptionMessage(
            session_id=self._event.session_id,
            utterance=self._event.utterance,
            sequence=self._event.sequence,
            result_id=caption.result_id,
            revision=self._revisions,
            text=caption.text,
            final=final,
            start_ms=caption.start_ms + offset_ms,
            end_ms=caption.end_ms + offset_ms,
            stability=caption.stability,
            orphan=caption.orphan,  # a partial that never became final, shown as it was last received
        )
        try:
            self.send(message)
        except (ClientError, BotoCoreError) as error:
            # If a final does not arrive, the attempt fails and the utterance is repeated. A partial may be lost, because
            # a newer version will follow.
            if final:
                self.retract(caption.result_id)
                raise
            self._log.failure("partial_not_posted", error, level="WARNING")
            return
        # The router's clock may be a little ahead of this one.
        self.latencies_ms.append(max(0, self._clock_ms() - self._first_sample_ms - message.end_ms))

    def shown_result_ids(self, *, include_finals: bool) -> list[str]:
        return sorted(result_id for result_id, line in self._lines.items() if include_finals or not line.final)

    @property
    def final_count(self) -> int:
        return sum(line.final for line in self._lines.values())

    def retract(self, result_id: str) -> None:
        """Make the client remove the line of a result, if there is one. Another result may then show its text."""
        line = self._lines.pop(result_id, None)
        if line is None:
            return
        if line.reservation_key:
            self._release(line.reservation_key, result_id)
        self._send_retraction(self._event.utterance, result_id, line.revision)

    def send(self, message: Message) -> None:
        """Send a message to the client, also if it has reconnected. Raise ClientGone if it has no open connection."""
        if not self._connections.post(self._connection, message):
            moved_to = self._live.utterances(self._event.session_id).connection
            if moved_to == self._connection or not moved_to or not self._connections.post(moved_to, message):
                raise ClientGone
            self._connection = moved_to
        if not isinstance(message, CaptionMessage) or message.final:
            self._used_connections.add(self._connection)

    def follow_client(self, connection: str) -> None:
        """Send to this connection from now on, unless it is empty.

        Sending over the client's old connection may succeed although the client does not receive the message.
        """
        self._connection = connection or self._connection

    def was_sent_elsewhere(self, connection: str) -> bool:
        """Return True if a message that the client must receive was sent over another connection, and may be lost."""
        return bool(self._used_connections - {connection})

    def _check_attempt(self) -> None:
        utterances = self._live.utterances(self._event.session_id)
        if not utterances.holds_slot(self._event.utterance, self._event.attempt):
            raise SlotLost
        self.follow_client(utterances.connection)

    def _send_retraction(self, utterance: str, result_id: str, revision: int) -> None:
        self.send(
            Retract(session_id=self._event.session_id, utterance=utterance, result_id=result_id, revision=revision)
        )

    def _reservation_key(self, text: str) -> str | None:
        """Return the key under which a text is reserved, or None if the text may be repeated."""
        words = normalize_text(text)
        if not self._dedup_seconds or not words:
            return None
        digest = hmac.new(self._session.secret.encode(), words.encode(), hashlib.sha256).hexdigest()
        return text_reservation_key(self._event.session_id, digest)

    def _reserve(self, caption: Caption, key: str) -> bool:
        """Reserve a caption's text. Return False if another utterance has reserved it.

        If the request fails, return True for a final and False for a partial.
        """
        reservation = TextReservation(self._event.utterance, caption.result_id, self._revisions, final=caption.final)
        try:
            reserved, replaced = self._live.reserve_text(key, reservation, self._dedup_seconds)
        except (ClientError, BotoCoreError) as error:
            # A final is shown all the same, so that its words are not lost. After a partial, a final is still to come.
            self._log.failure("caption_claim_failed", error, level="WARNING")
            return caption.final
        self.duplicate_count += not reserved
        if replaced is not None and replaced.utterance != self._event.utterance:
            # This final replaced the reservation of a partial of another utterance. The client removes that partial's
            # line unless the line has changed since.
            self._send_retraction(replaced.utterance, replaced.line, replaced.revision)
        return reserved

    def _release(self, key: str, result_id: str) -> None:
        try:
            self._live.release_text(key, self._event.utterance, result_id)
        except (ClientError, BotoCoreError) as error:
            # The reservation expires within seconds. The line is retracted anyway.
            self._log.failure("caption_claim_kept", error, level="WARNING")
