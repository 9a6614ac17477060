"""What of one session is in the air: utterances on their way through a processor, those done, those that broke. Pure.

A place is taken before a processor is called and given back by the processor. One that is not given back in time is
judged lost by the time in it: deletion by expiry may be days late. Every move is a new value; whoever writes it does so
only if nobody else has in the meantime.
"""

from collections.abc import Collection
from enum import StrEnum
from typing import Self

from handlers.common.aws.versioned_items import State

REMEMBERED = 64
"""Utterances whose end is remembered, so that one sent twice is transcribed once: minutes of speech."""


class SlotOutcome(StrEnum):
    """What became of an utterance that was offered."""

    TAKEN = "taken"
    REPEATED = "repeated"
    BUSY = "busy"
    EARLY = "early"


class LiveItem(State):
    """Base of what the live table holds."""

    @property
    def due_ms(self) -> int | None:
        """When somebody must look at it, if ever."""
        return None


class Slot(LiveItem):
    """One utterance on its way."""

    utterance: str
    attempt: int
    overdue_ms: int
    """From then on it is lost."""
    running: bool = False


class PendingResend(LiveItem):
    """An utterance that has to be sent again, and how far its captions hold."""

    utterance: str
    from_ms: int
    attempts: int
    """How often it was tried, with a stream."""
    rests_until_ms: int = 0
    """There was no stream to be had: there may be one then, and no sooner."""


class SlotDecision(LiveItem):
    """How an offered utterance stands, and what to know of earlier attempts at it."""

    standing: SlotOutcome
    attempt: int = 0
    """Which of the session's attempts this is: whoever works on an older one has been overtaken."""
    from_ms: int = 0
    attempts: int = 1
    """Which attempt at this utterance it is."""


class SessionSlots(LiveItem):
    """One session's utterances."""

    connection: str = ""
    """Where captions go, and who may use it: nobody, where it is on none."""
    seen_ms: int = 0
    """When its client was last heard of."""
    attempt: int = 0
    """How many attempts there were."""
    places: tuple[Slot, ...] = ()
    done: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    """Those of them that were given up."""
    broken: tuple[PendingResend, ...] = ()
    directs_ms: tuple[int, ...] = ()
    """When addresses for streaming past the rules were given out lately."""

    @property
    def due_ms(self) -> int | None:
        """When the first of its utterances will be lost."""
        return min((one.overdue_ms for one in self.places), default=None)

    def seen(self, connection: str, now_ms: int) -> Self:
        """Its client speaks, over this connection."""
        return self.model_copy(update={"connection": connection, "seen_ms": now_ms})

    def opened(self, connection: str, unfinished: Collection[str]) -> Self:
        """Its client opens it over this connection, and has not heard how those utterances ended.

        Whatever was told over another connection may have gone nowhere: what is done without its client knowing, or has
        to be sent again anyhow, comes again from its beginning. So does what nobody has begun to go on with.
        """
        if connection == self.connection:
            return self
        told = {one.utterance for one in self.broken if one.from_ms}
        places = tuple(one for one in self.places if one.running or one.utterance not in told)
        unheard = tuple(one for one in self.done if one in unfinished)
        broken = (
            *(one.model_copy(update={"from_ms": 0}) for one in self.broken),
            *(PendingResend(utterance=one, from_ms=0, attempts=1) for one in unheard),
        )[-REMEMBERED:]
        done, failed = (tuple(one for one in ends if one not in unheard) for ends in (self.done, self.failed))
        return self.model_copy(update={"places": places, "done": done, "failed": failed, "broken": broken})

    def is_silent(self, heard_ms: int, now_ms: int) -> bool:
        """Nothing was heard of its client since then, and nothing of it is in the air."""
        return self.seen_ms < heard_ms and all(one.overdue_ms <= now_ms for one in self.places)

    def remove_overdue(self, now_ms: int) -> tuple[Self, tuple[str, ...]]:
        """Without those that are lost, and which those are."""
        late = tuple(one for one in self.places if one.overdue_ms <= now_ms)
        if not late:
            return self, ()
        swept = self
        for one in late:
            swept = swept.plan_resend(one.utterance, one.attempt, 0)
        return swept, tuple(one.utterance for one in late)

    def take_slot(self, utterance: str, overdue_ms: int, most: int, now_ms: int) -> tuple[Self, SlotDecision]:
        """A place for an utterance, if there is one, and unless it has one or had one."""
        if utterance in self.done or self.has_slot(utterance):
            return self, SlotDecision(standing=SlotOutcome.REPEATED)
        before = next((one for one in self.broken if one.utterance == utterance), None)
        if before and before.rests_until_ms > now_ms:
            return self, SlotDecision(standing=SlotOutcome.EARLY)
        if len(self.places) >= most:
            return self, SlotDecision(standing=SlotOutcome.BUSY)
        taken = SlotDecision(
            standing=SlotOutcome.TAKEN,
            attempt=self.attempt + 1,
            from_ms=before.from_ms if before else 0,
            attempts=before.attempts + 1 if before else 1,
        )
        places = (*self.places, Slot(utterance=utterance, attempt=taken.attempt, overdue_ms=overdue_ms))
        return self.model_copy(update={"attempt": taken.attempt, "places": places}), taken

    def start(self, utterance: str, attempt: int, now_ms: int, overdue_ms: int) -> tuple[Self, bool]:
        """The attempt is being worked on; false where it is by somebody else already, or was given up."""
        place = self._place(utterance, attempt)
        if place is None or place.running or place.overdue_ms <= now_ms:
            return self, False
        running = place.model_copy(update={"overdue_ms": overdue_ms, "running": True})
        return self.model_copy(update={"places": (*self._others(utterance), running)}), True

    def holds_slot(self, utterance: str, attempt: int) -> bool:
        """Whether this attempt still has its place: no other was begun, and it is not lost."""
        return self._place(utterance, attempt) is not None

    def has_slot(self, utterance: str) -> bool:
        """Whether an utterance has a place."""
        return any(one.utterance == utterance for one in self.places)

    def finish(self, utterance: str, attempt: int, *, failed: bool = False) -> Self:
        """The utterance is done, or given up, and will not be again; nothing changes where the attempt has lost its place."""
        if not self.holds_slot(utterance, attempt):
            return self
        done = (*self.done, utterance)[-REMEMBERED:]
        lost = tuple(one for one in (*self.failed, *[utterance] * failed) if one in done)
        broken = tuple(one for one in self.broken if one.utterance != utterance)
        return self.model_copy(
            update={"places": self._others(utterance), "done": done, "failed": lost, "broken": broken}
        )

    def plan_resend(self, utterance: str, attempt: int, from_ms: int, rests_until_ms: int = 0) -> Self:
        """The utterance has to be sent again; its captions hold up to `from_ms`. One that rests had no attempt."""
        if not self.holds_slot(utterance, attempt):
            return self
        before = next((one.attempts for one in self.broken if one.utterance == utterance), 0)
        others = tuple(one for one in self.broken if one.utterance != utterance)
        again = PendingResend(
            utterance=utterance,
            from_ms=from_ms,
            attempts=before if rests_until_ms else before + 1,
            rests_until_ms=rests_until_ms,
        )
        return self.model_copy(update={"places": self._others(utterance), "broken": (*others, again)[-REMEMBERED:]})

    def release_unstarted(self, utterance: str, attempt: int) -> tuple[Self, bool]:
        """As if the utterance had not been offered; false where the attempt was begun, or is over already."""
        place = self._place(utterance, attempt)
        if place is None or place.running:
            return self, False
        return self.model_copy(update={"places": self._others(utterance)}), True

    def count_direct_url(self, now_ms: int, most: int, within_ms: int) -> tuple[Self, bool]:
        """One address more, unless there were as many lately."""
        lately = tuple(one for one in self.directs_ms if now_ms - one < within_ms)
        if len(lately) >= most:
            return self, False
        return self.model_copy(update={"directs_ms": (*lately, now_ms)}), True

    def _place(self, utterance: str, attempt: int) -> Slot | None:
        return next((one for one in self.places if (one.utterance, one.attempt) == (utterance, attempt)), None)

    def _others(self, utterance: str) -> tuple[Slot, ...]:
        return tuple(one for one in self.places if one.utterance != utterance)
