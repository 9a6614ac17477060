"""Delivery of one utterance's captions to the client, without repeating text that another utterance shows.

`caption_decisions` decides which captions of a stream are shown. This module keeps overlapping utterances from showing
the same text twice: it reserves each text under a keyed hash in the live table. It also follows a client that has
reconnected.

An utterance may be transcribed in several attempts, one after another. Only the newest attempt holds the utterance's
slot, which is its entry among the session's utterances in progress. An attempt without the slot must not send finals.
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from handlers.common.json_models import Message
from handlers.common.logging import EventLog
from handlers.common.websocket.message_sender import WebSocketConnections
from handlers.transcription.audio_processor.captions.caption_decisions import Caption, CaptionKind
from handlers.transcription.audio_processor.captions.shown_texts import normalize_text
from handlers.transcription.live_table import LiveTable, TextReservation, text_reservation_key
from handlers.transcription.messages import CaptionMessage, ProcessorEvent, Retract
from handlers.transcription.session_table import Session


class ClientGone(Exception):
    """The session's client has no open connection."""


class SlotLost(Exception):
    """A newer attempt has taken the attempt's slot, or the slot became overdue. The attempt must not send finals."""


@dataclass
class DeliveredLine:
    """A caption line that the client shows."""

    revision: int
    """Revision of the caption that the line shows."""
    final: bool
    """True if the line will not change any more."""
    reservation_key: str | None
    """Key of the text reservation, if the line is final and its text was reserved."""


class CaptionDelivery:
    """Delivers the captions of one attempt at an utterance."""

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
        """Connections over which a message that must arrive was sent, that is, any message except a partial.

        An attempt with a `from_ms` above 0 continues earlier attempts, whose captions up to this position remain valid.
        These captions were sent over `connection`. If the client had changed the connection, the attempt would start
        at 0."""
        self._revisions = 0
        """Number of captions so far. It is the revision of the latest one."""
        accepted_ms = clock_ms() if event.accepted_ms is None else event.accepted_ms
        self._first_sample_ms = accepted_ms - event.from_ms
        """Time at which position 0 of the utterance is taken to be spoken. Latencies are computed as if the audio were
        spoken in real time, and its position `from_ms` at the moment when the router accepts the attempt."""
        self.latencies_ms: list[int] = []
        """Delay of each caption: the time from the end of its speech, computed from `_first_sample_ms`, to its
        delivery."""
        self.duplicate_count = 0
        """Number of captions that another utterance has shown."""

    def show(self, caption: Caption, offset_ms: int) -> None:
        """Deliver one caption, or retract its line. `offset_ms` is the stream's start in the utterance.

        Raises SlotLost, ClientGone, or the error of a final that could not be posted.
        """
        final = caption.final
        # A check reads the table. Partials are not checked, because their final will be.
        if caption.kind is not CaptionKind.PARTIAL:
            self._check_attempt()
        self._revisions += 1
        key = self._reservation_key(caption.text)
        if caption.kind is CaptionKind.RETRACTED or (key and not self._reserve(caption, key)):
            self.retract(caption.result_id)
            return
        # Recorded before the post, because a post that fails may have arrived.
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
            # The utterance is repeated if a final does not arrive. After a partial, a final is still to come.
            if final:
                self.retract(caption.result_id)
                raise
            self._log.warning("partial_not_posted", error_type=type(error).__name__)
            return
        # The router's clock may be a little ahead of this one.
        self.latencies_ms.append(max(0, self._clock_ms() - self._first_sample_ms - message.end_ms))

    def shown_result_ids(self, *, include_finals: bool) -> list[str]:
        """Return the result ids of the lines that the client shows, with or without final lines."""
        return sorted(result_id for result_id, line in self._lines.items() if include_finals or not line.final)

    @property
    def final_count(self) -> int:
        """Number of final lines that the client shows."""
        return sum(line.final for line in self._lines.values())

    def retract(self, result_id: str) -> None:
        """Remove a result's line from the client, if it has one. Another result may then show the text."""
        line = self._lines.pop(result_id, None)
        if line is None:
            return
        if line.reservation_key:
            self._release(line.reservation_key, result_id)
        self._send_retraction(self._event.utterance, result_id, line.revision)

    def send(self, message: Message) -> None:
        """Send a message to the session's current connection. Raises ClientGone if there is none."""
        if not self._connections.post(self._connection, message):
            moved_to = self._live.utterances(self._event.session_id).connection
            if moved_to == self._connection or not moved_to or not self._connections.post(moved_to, message):
                raise ClientGone
            self._connection = moved_to
        if not isinstance(message, CaptionMessage) or message.final:
            self._used_connections.add(self._connection)

    def follow_client(self, connection: str) -> None:
        """Send to this connection from now on, unless it is empty.

        A post to the client's old connection may succeed although the client does not receive it.
        """
        self._connection = connection or self._connection

    def was_sent_elsewhere(self, connection: str) -> bool:
        """Return True if any message except a partial was sent over another connection. It may be lost."""
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
        """Return the key under which a text is reserved; None if it may be repeated."""
        words = normalize_text(text)
        if not self._dedup_seconds or not words:
            return None
        digest = hmac.new(self._session.secret.encode(), words.encode(), hashlib.sha256).hexdigest()
        return text_reservation_key(self._event.session_id, digest)

    def _reserve(self, caption: Caption, key: str) -> bool:
        """Reserve a caption's text. Return False if another utterance shows it.

        If the table does not answer, return True for a final and False for a partial.
        """
        reservation = TextReservation(self._event.utterance, caption.result_id, self._revisions, final=caption.final)
        try:
            reserved, replaced = self._live.reserve_text(key, reservation, self._dedup_seconds)
        except (ClientError, BotoCoreError) as error:
            # A final must not be lost because the table does not answer. After a partial, a final is still to come.
            self._log.warning("caption_claim_failed", error_type=type(error).__name__)
            return caption.final
        self.duplicate_count += not reserved
        if replaced is not None and replaced.utterance != self._event.utterance:
            # A partial of the other utterance shows the text. The client removes it unless it has changed since.
            self._send_retraction(replaced.utterance, replaced.line, replaced.revision)
        return reserved

    def _release(self, key: str, result_id: str) -> None:
        try:
            self._live.release_text(key, self._event.utterance, result_id)
        except (ClientError, BotoCoreError) as error:
            # The reservation expires within seconds. The line is retracted anyway.
            self._log.warning("caption_claim_kept", error_type=type(error).__name__)
