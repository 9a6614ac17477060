"""Sweep that finds lost utterances and asks their clients to send them again. A schedule starts it every minute.

While an utterance is transcribed, it takes one of the slots of its session. The audio processor releases the slot when
the utterance ends. If the slot is not released before its deadline, the utterance counts as lost.
"""

from botocore.exceptions import BotoCoreError, ClientError

from handlers.common.logging import EventLog, hash_for_log
from handlers.common.websocket.message_sender import WebSocketConnections
from handlers.transcription.live_table import LiveTable
from handlers.transcription.messages import Resend, ResendRequest
from handlers.transcription.session_utterance_state import SessionUtterances


class SweepFailed(Exception):
    """The sweep failed for some sessions. It processed all others."""


class LostUtteranceSweep:
    def __init__(self, live: LiveTable, connections: WebSocketConnections, log: EventLog) -> None:
        self._live = live
        self._connections = connections
        self._log = log

    def run(self, now_ms: int) -> int:
        """Run the sweep, and return the number of lost utterances.

        If it fails for a session, it continues with the others and raises SweepFailed at the end.
        """
        count = failed = 0
        for session_id in self._live.overdue_sessions(now_ms):
            try:
                count += self._sweep_session(session_id, now_ms)
            except Exception as error:  # noqa: BLE001 - counted, and reported at the end by SweepFailed
                self._log.error("sweep_failed", error_type=type(error).__name__)
                failed += 1
        if failed:
            raise SweepFailed(f"{failed} sessions could not be swept")
        return count

    def _sweep_session(self, session_id: str, now_ms: int) -> int:

        def sweep(utterances: SessionUtterances) -> tuple[SessionUtterances, tuple[str, tuple[str, ...]]]:
            remaining, lost = utterances.remove_overdue(now_ms)
            return remaining, (utterances.connection, lost)

        connection, lost = self._live.change_utterances(session_id, sweep)
        if not lost:
            return 0
        self._log.error("utterances_lost", session_hash=hash_for_log(session_id), lost=len(lost))
        resends = tuple(ResendRequest(utterance=utterance, from_ms=0) for utterance in lost)
        try:
            self._connections.post(connection, Resend(session_id=session_id, utterances=resends))
        except (ClientError, BotoCoreError) as error:
            # The answer to the client's next ping lists the utterances too.
            self._log.warning("resend_not_told", error_type=type(error).__name__)
        return len(lost)
