"""One utterance's captions on their way to the client: each shown once, whatever other utterance says the same.

The rules of one stream have decided already what is to be shown. Here two utterances that overlap are kept from showing
the same words twice, by a keyed hash in the live table; and a client that came back on another connection is followed.
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from handlers.common.logging import EventLog
from handlers.common.websocket.connections import Connections
from handlers.common.websocket.messages import Message
from handlers.transcription.audio_processor.captions.caption_rules import Caption, CaptionKind
from handlers.transcription.audio_processor.captions.shown_texts import normalize_text
from handlers.transcription.live_table import LiveTable, TextReservation, session_slots_key, text_reservation_key
from handlers.transcription.messages import CaptionMessage, ProcessorEvent, Retract
from handlers.transcription.sessions import Session
from handlers.transcription.utterance_slots import SessionSlots


class ClientGone(Exception):
    """Nobody is there to read captions."""


class NewerAttemptStarted(Exception):
    """Another attempt at the utterance is under way, or it was given up: this one must not say anything more."""


@dataclass
class DeliveredLine:
    """A line that the reader has."""

    revision: int
    final: bool
    claimed: str | None
    """Where a final's words are claimed for it."""


class CaptionDelivery:
    """Shows captions of one utterance."""

    def __init__(
        self,
        work: ProcessorEvent,
        session: Session,
        connection: str,
        *,
        live: LiveTable,
        connections: Connections,
        dedup_seconds: int,
        clock_ms: Callable[[], int],
        log: EventLog,
    ) -> None:
        self._work = work
        self._session = session
        self._connection = connection
        self._live = live
        self._connections = connections
        self._dedup_seconds = dedup_seconds
        self._clock_ms = clock_ms
        self._log = log
        self._lines: dict[str, DeliveredLine] = {}
        # Words of an earlier attempt that still hold were told over this connection, or they would not hold.
        self._told_over = {connection} if work.from_ms else set[str]()
        self._revisions = 0
        accepted_ms = clock_ms() if work.accepted_ms is None else work.accepted_ms
        # An attempt goes on where captions hold; up to there nothing is streamed again.
        self._streamed_from_ms = accepted_ms - work.from_ms
        self.latencies_ms: list[int] = []
        """From when a caption's words could have been heard, streamed at the pace of speech at once, to its delivery."""
        self.repeated = 0
        """Captions that another utterance has shown."""

    def show(self, caption: Caption, offset_ms: int) -> None:
        """Shows one caption; its times count from where its stream began in the utterance."""
        final = caption.kind is CaptionKind.FINAL
        if caption.kind is not CaptionKind.PARTIAL:
            self._check_attempt()
        self._revisions += 1
        key = self._key(caption.text)
        if caption.kind is CaptionKind.RETRACTED or (key and not self._may_show(caption, key)):
            self.retract(caption.result_id)
            return
        # Before it is told: a post that fails may have arrived.
        self._lines[caption.result_id] = DeliveredLine(self._revisions, final, key if final else None)
        message = CaptionMessage(
            session_id=self._work.session_id,
            utterance=self._work.utterance,
            sequence=self._work.sequence,
            result_id=caption.result_id,
            revision=self._revisions,
            text=caption.text,
            final=final,
            start_ms=caption.start_ms + offset_ms,
            end_ms=caption.end_ms + offset_ms,
            stability=caption.stability,
            orphan=caption.orphan,
        )
        try:
            self.send(message)
        except (ClientError, BotoCoreError) as error:
            # A final must arrive, or its utterance is sent again; a partial has its final to come.
            if final:
                self.retract(caption.result_id)
                raise
            self._log.warning("partial_not_posted", error_type=type(error).__name__)
            return
        # Whoever took the utterance in has another clock, and it may be a little ahead.
        self.latencies_ms.append(max(0, self._clock_ms() - self._streamed_from_ms - message.end_ms))

    def lines(self, *, finals: bool) -> list[str]:
        """The results whose lines the reader has: those that are no finals, or all."""
        return sorted(one for one, line in self._lines.items() if finals or not line.final)

    @property
    def finals(self) -> int:
        """How many final lines the reader has."""
        return sum(line.final for line in self._lines.values())

    def retract(self, result_id: str) -> None:
        """Takes a result's line away, if the reader has one: whoever says its words next may show them."""
        line = self._lines.pop(result_id, None)
        if line is None:
            return
        if line.claimed:
            self._let_go(line.claimed, result_id)
        self._retract(self._work.utterance, result_id, line.revision)

    def send(self, message: Message) -> None:
        """Sends a message to wherever the session's client is now."""
        if not self._connections.post(self._connection, message):
            moved = self._live.read(SessionSlots, session_slots_key(self._work.session_id)).connection
            if moved == self._connection or not moved or not self._connections.post(moved, message):
                raise ClientGone
            self._connection = moved
        if not isinstance(message, CaptionMessage) or message.final:
            self._told_over.add(self._connection)

    def follow_client(self, connection: str) -> None:
        """The session's client is on this connection now, if on any: the one before may take messages that nobody reads."""
        self._connection = connection or self._connection

    def was_sent_elsewhere(self, connection: str) -> bool:
        """Whether anything but a partial was told over another connection than this one: it may have gone nowhere."""
        return bool(self._told_over - {connection})

    def _check_attempt(self) -> None:
        flight = self._live.read(SessionSlots, session_slots_key(self._work.session_id))
        if not flight.holds_slot(self._work.utterance, self._work.attempt):
            raise NewerAttemptStarted
        self.follow_client(flight.connection)

    def _retract(self, utterance: str, result_id: str, revision: int) -> None:
        self.send(
            Retract(session_id=self._work.session_id, utterance=utterance, result_id=result_id, revision=revision)
        )

    def _key(self, text: str) -> str | None:
        """Where these words are claimed; nowhere where they may be shown as often as they come."""
        words = normalize_text(text)
        if not self._dedup_seconds or not words:
            return None
        digest = hmac.new(self._session.secret.encode(), words.encode(), hashlib.sha256).hexdigest()
        return text_reservation_key(self._work.session_id, digest)

    def _may_show(self, caption: Caption, key: str) -> bool:
        final = caption.kind is CaptionKind.FINAL
        claim = TextReservation(self._work.utterance, caption.result_id, self._revisions, final=final)
        try:
            mine, before = self._live.reserve_text(key, claim, self._dedup_seconds)
        except (ClientError, BotoCoreError) as error:
            # A final must not be lost for a table that does not answer; a partial has its final to come.
            self._log.warning("caption_claim_failed", error_type=type(error).__name__)
            return final
        self.repeated += not mine
        if before is not None and before.utterance != self._work.utterance:
            # The other's partial said the same: unless its line has changed since, it goes.
            self._retract(before.utterance, before.line, before.revision)
        return mine

    def _let_go(self, key: str, result_id: str) -> None:
        try:
            self._live.release_text(key, self._work.utterance, result_id)
        except (ClientError, BotoCoreError) as error:
            # It ends by itself in some seconds; the line goes all the same.
            self._log.warning("caption_claim_kept", error_type=type(error).__name__)
