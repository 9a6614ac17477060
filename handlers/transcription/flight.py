"""What of one session is in the air: utterances on their way through a processor, those done, those that broke. Pure.

A place is taken before a processor is called and given back by the processor. One that is not given back in time is
judged lost by the time in it: deletion by expiry may be days late. Every move is a new value; whoever writes it does so
only if nobody else has in the meantime.
"""

from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict

REMEMBERED = 64
"""Utterances whose end is remembered, so that one sent twice is transcribed once: minutes of speech."""


class Standing(StrEnum):
    """What became of an utterance that was offered."""

    TAKEN = "taken"
    REPEATED = "repeated"
    BUSY = "busy"


class Live(BaseModel):
    """Base of what the live table holds."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    @property
    def due_ms(self) -> int | None:
        """When somebody must look at it, if ever."""
        return None


class Place(Live):
    """One utterance on its way."""

    utterance: str
    overdue_ms: int
    """From then on it is lost."""
    running: bool = False


class Broken(Live):
    """An utterance that has to be sent again, and how far its captions hold."""

    utterance: str
    from_ms: int


class Taken(Live):
    """How an offered utterance stands, and what to know of earlier attempts at it."""

    standing: Standing
    from_ms: int = 0
    retried: bool = False


class Flight(Live):
    """One session's utterances."""

    connection: str = ""
    """Where captions go."""
    places: tuple[Place, ...] = ()
    done: tuple[str, ...] = ()
    broken: tuple[Broken, ...] = ()

    @property
    def due_ms(self) -> int | None:
        """When the first of its utterances will be lost."""
        return min((one.overdue_ms for one in self.places), default=None)

    def at(self, connection: str) -> Self:
        """With captions going elsewhere."""
        return self.model_copy(update={"connection": connection})

    def swept(self, now_ms: int) -> tuple[Self, tuple[str, ...]]:
        """Without those that are lost, and which those are."""
        lost = tuple(one.utterance for one in self.places if one.overdue_ms <= now_ms)
        kept = tuple(one for one in self.places if one.overdue_ms > now_ms)
        broken = self.broken
        for utterance in lost:
            broken = _breaking(broken, utterance, 0)
        return self.model_copy(update={"places": kept, "broken": broken}), lost

    def offered(self, utterance: str, overdue_ms: int, most: int) -> tuple[Self, Taken]:
        """A place for an utterance, if there is one, and unless it has one or had one."""
        if utterance in self.done or any(one.utterance == utterance for one in self.places):
            return self, Taken(standing=Standing.REPEATED)
        if len(self.places) >= most:
            return self, Taken(standing=Standing.BUSY)
        before = next((one for one in self.broken if one.utterance == utterance), None)
        taken = Taken(standing=Standing.TAKEN, from_ms=before.from_ms if before else 0, retried=before is not None)
        places = (*self.places, Place(utterance=utterance, overdue_ms=overdue_ms))
        broken = tuple(one for one in self.broken if one.utterance != utterance)
        return self.model_copy(update={"places": places, "broken": broken}), taken

    def begun(self, utterance: str, now_ms: int, overdue_ms: int) -> tuple[Self, bool]:
        """The utterance is being worked on; false where it is by somebody else already, or was given up."""
        place = next((one for one in self.places if one.utterance == utterance), None)
        if place is None or place.running or place.overdue_ms <= now_ms:
            return self, False
        running = Place(utterance=utterance, overdue_ms=overdue_ms, running=True)
        return self.model_copy(update={"places": (*self._others(utterance), running)}), True

    def landed(self, utterance: str) -> Self:
        """The utterance is done, and will not be again; nothing changes where it was given up meanwhile."""
        if not self._holds(utterance):
            return self
        done = (*self.done, utterance)[-REMEMBERED:]
        return self.model_copy(update={"places": self._others(utterance), "done": done})

    def broke(self, utterance: str, from_ms: int) -> Self:
        """The utterance has to be sent again; its captions hold up to `from_ms`."""
        if not self._holds(utterance):
            return self
        broken = _breaking(self.broken, utterance, from_ms)
        return self.model_copy(update={"places": self._others(utterance), "broken": broken})

    def _holds(self, utterance: str) -> bool:
        return any(one.utterance == utterance for one in self.places)

    def _others(self, utterance: str) -> tuple[Place, ...]:
        return tuple(one for one in self.places if one.utterance != utterance)


def _breaking(known: tuple[Broken, ...], utterance: str, from_ms: int) -> tuple[Broken, ...]:
    others = tuple(one for one in known if one.utterance != utterance)
    return (*others, Broken(utterance=utterance, from_ms=from_ms))[-REMEMBERED:]
