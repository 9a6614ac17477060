"""State of one session's utterances. An utterance is a few seconds of speech in one message of a client.

- Each utterance in progress has a slot. The router, the function that answers clients, takes the slot. Then it invokes
  the audio processor, the function that transcribes one utterance, which releases the slot. If the slot is not released
  before its deadline, the utterance counts as lost. The deadline is compared with the clock when the client sends its
  next message about the session, and the answer asks for the lost utterance.
- The names of utterances that ended are kept, so that a repeated message is not transcribed again.
- A pending resend is an utterance that the client must send again, because it was lost or could not be transcribed.

Each attempt to transcribe an utterance has a number and takes a slot. An attempt has no free stream if Amazon
Transcribe refuses to open one, because the account's quota is used up or the service is not available. A method that
changes the state returns a new object, which `LiveTable.change` writes only if no concurrent invocation has changed the
item.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from pydantic import ConfigDict, Field

from handlers.common.versioned_items import VersionedState

MAX_REMEMBERED_UTTERANCES = 64
"""Maximum number of ended utterances, and also of pending resends, that a session remembers. 64 utterances are some
minutes of speech."""


class SlotOutcome(StrEnum):
    """Result of a request for a slot."""

    TAKEN = "taken"
    REPEATED = "repeated"
    """The utterance has a slot already, or has ended."""
    BUSY = "busy"
    """All slots of the session are taken."""
    EARLY = "early"
    """The utterance must wait, because Amazon Transcribe had no free stream or gave no result in the last attempt."""


class LiveItem(VersionedState):
    """Base of the versioned items in the live table (the table for connections and sessions in use), and of their parts.

    A field's alias is its stored name.
    """

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)


class Slot(LiveItem):
    """The slot of one utterance in progress."""

    utterance: str
    attempt: int
    """Number of the attempt, counted over all utterances of the session."""
    overdue_ms: int
    """Deadline of the slot: the time from which the utterance counts as lost."""
    running: bool = False
    """True once the audio processor has started the attempt."""


class PendingResend(LiveItem):
    """An utterance that the client must send again, or is sending again. It is removed when the utterance ends."""

    utterance: str
    from_ms: int
    """Position in the utterance up to which the captions of earlier attempts remain valid."""
    attempts: int
    """Number of attempts so far. Attempts without a free stream are not counted."""
    wait_until_ms: int = Field(default=0, alias="rests_until_ms")
    """Earliest time of the next attempt, because Amazon Transcribe had no free stream or gave no result."""


@dataclass(frozen=True)
class SlotDecision:
    """Answer to a request for a slot. If the outcome is `TAKEN`, the other fields describe the new attempt."""

    outcome: SlotOutcome
    attempt: int = 0
    """Number of this attempt, counted over all utterances of the session."""
    from_ms: int = 0
    """Position in the utterance up to which the captions of earlier attempts remain valid."""
    utterance_attempt: int = 1
    """Number of this attempt, counted over the attempts at this utterance that had a free stream."""


class SessionUtterances(LiveItem):
    """State of one session's utterances, and the connection on which the session is used."""

    connection: str = ""
    """Connection that may use the session and receives its captions: the one that opened the session last."""
    attempt: int = 0
    """Number of attempts so far, counted over all utterances."""
    slots: tuple[Slot, ...] = Field(default=(), alias="places")
    done: tuple[str, ...] = ()
    """Names of utterances that ended."""
    failed: tuple[str, ...] = ()
    """Utterances in `done` that were given up."""
    resends: tuple[PendingResend, ...] = Field(default=(), alias="broken")

    def move(self, connection: str, unfinished: Collection[str]) -> Self:
        """Move the session to the connection on which the client opens it, and plan what must be repeated.

        Captions that were sent over the old connection may be lost. So each pending resend starts from the beginning of
        its utterance. An attempt that has not started loses its slot if it would start at the `from_ms` of a pending
        resend, because it would not repeat the captions before that position. Ended utterances are repeated if the
        client lists them in `unfinished`, because it has not received their end.
        """
        if connection == self.connection:
            return self
        continued = {resend.utterance for resend in self.resends if resend.from_ms}
        slots = tuple(slot for slot in self.slots if slot.running or slot.utterance not in continued)
        unreceived_ends = tuple(utterance for utterance in self.done if utterance in unfinished)
        resends = (
            *(resend.model_copy(update={"from_ms": 0}) for resend in self.resends),
            *(PendingResend(utterance=utterance, from_ms=0, attempts=1) for utterance in unreceived_ends),
        )[-MAX_REMEMBERED_UTTERANCES:]
        done, failed = (
            tuple(utterance for utterance in ended if utterance not in unreceived_ends)
            for ended in (self.done, self.failed)
        )
        return self.model_copy(
            update={"connection": connection, "slots": slots, "done": done, "failed": failed, "resends": resends}
        )

    def remove_overdue(self, now_ms: int) -> tuple[Self, tuple[str, ...]]:
        """Replace overdue slots by pending resends. Also return the names of these lost utterances."""
        overdue = tuple(slot for slot in self.slots if slot.overdue_ms <= now_ms)
        remaining = self
        for slot in overdue:
            remaining = remaining.plan_resend(slot.utterance, slot.attempt, 0)
        return remaining, tuple(slot.utterance for slot in overdue)

    def take_slot(self, utterance: str, overdue_ms: int, max_slots: int, now_ms: int) -> tuple[Self, SlotDecision]:
        """Take a slot for a new attempt at an utterance, or return the outcome that prevents this."""
        if utterance in self.done or self.has_slot(utterance):
            return self, SlotDecision(outcome=SlotOutcome.REPEATED)
        resend = next((resend for resend in self.resends if resend.utterance == utterance), None)
        if resend and resend.wait_until_ms > now_ms:
            return self, SlotDecision(outcome=SlotOutcome.EARLY)
        if len(self.slots) >= max_slots:
            return self, SlotDecision(outcome=SlotOutcome.BUSY)
        decision = SlotDecision(
            outcome=SlotOutcome.TAKEN,
            attempt=self.attempt + 1,
            from_ms=resend.from_ms if resend else 0,
            utterance_attempt=resend.attempts + 1 if resend else 1,
        )
        slots = (*self.slots, Slot(utterance=utterance, attempt=decision.attempt, overdue_ms=overdue_ms))
        return self.model_copy(update={"attempt": decision.attempt, "slots": slots}), decision

    def start(self, utterance: str, attempt: int, now_ms: int, overdue_ms: int) -> tuple[Self, bool]:
        """Mark an attempt as running, and give its slot a new deadline.

        Return False if the attempt was started before, has no slot, or if the old deadline is over.
        """
        slot = self._slot(utterance, attempt)
        if slot is None or slot.running or slot.overdue_ms <= now_ms:
            return self, False
        running = slot.model_copy(update={"overdue_ms": overdue_ms, "running": True})
        return self.model_copy(update={"slots": (*self._other_slots(utterance), running)}), True

    def holds_slot(self, utterance: str, attempt: int) -> bool:
        """Return True if the attempt still has its slot, so no newer attempt at the utterance can exist."""
        return self._slot(utterance, attempt) is not None

    def has_slot(self, utterance: str) -> bool:
        """Return True if any attempt at the utterance has a slot."""
        return any(slot.utterance == utterance for slot in self.slots)

    def finish(self, utterance: str, attempt: int, *, failed: bool = False) -> Self:
        """End an utterance that is transcribed or given up. Change nothing if the attempt has lost its slot."""
        if not self.holds_slot(utterance, attempt):
            return self
        done = (*self.done, utterance)[-MAX_REMEMBERED_UTTERANCES:]
        failed_names = (*self.failed, utterance) if failed else self.failed
        remembered_failed = tuple(name for name in failed_names if name in done)
        resends = tuple(resend for resend in self.resends if resend.utterance != utterance)
        return self.model_copy(
            update={
                "slots": self._other_slots(utterance),
                "done": done,
                "failed": remembered_failed,
                "resends": resends,
            }
        )

    def plan_resend(
        self, utterance: str, attempt: int, from_ms: int, *, wait_until_ms: int = 0, is_counted: bool = True
    ) -> Self:
        """Release the slot, and remember that the client must send the utterance again, at `wait_until_ms` or later.

        Captions up to `from_ms` remain valid. `is_counted` is False if Amazon Transcribe had no free stream for the
        attempt. Nothing changes if the attempt has lost its slot.
        """
        if not self.holds_slot(utterance, attempt):
            return self
        before = next((resend.attempts for resend in self.resends if resend.utterance == utterance), 0)
        others = tuple(resend for resend in self.resends if resend.utterance != utterance)
        resend = PendingResend(
            utterance=utterance,
            from_ms=from_ms,
            attempts=before + 1 if is_counted else before,
            wait_until_ms=wait_until_ms,
        )
        return self.model_copy(
            update={"slots": self._other_slots(utterance), "resends": (*others, resend)[-MAX_REMEMBERED_UTTERANCES:]}
        )

    def release_unstarted(self, utterance: str, attempt: int) -> tuple[Self, bool]:
        """Release the slot of an attempt that has not started. Return False if it has started or has no slot."""
        slot = self._slot(utterance, attempt)
        if slot is None or slot.running:
            return self, False
        return self.model_copy(update={"slots": self._other_slots(utterance)}), True

    def _slot(self, utterance: str, attempt: int) -> Slot | None:
        return next((slot for slot in self.slots if (slot.utterance, slot.attempt) == (utterance, attempt)), None)

    def _other_slots(self, utterance: str) -> tuple[Slot, ...]:
        return tuple(slot for slot in self.slots if slot.utterance != utterance)
