"""How long after an utterance its last caption is there, on the local platform: the deployed functions over real sockets.

An utterance is transcribed at the pace of speech once it is sent, so its own length is taken off. The emulator answers
every call of the functions, runs them as processes, and hears the words, all on the same cores.
"""

import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.figures import at_share
from local import emulator, stack_files
from local.flows.dialogue import Message
from local.flows.transcription import SAMPLE_RATE, Screen, Speaker
from local.platform import deploy
from local.progress import Silent
from local.services.tones import WORDS, silence, speech

UTTERANCES = 20
CLIENTS = 10
EACH = 4
"""Utterances of each client, where there are several."""
SECONDS = 2
SPOKEN = 7
"""Words in as many seconds."""
PLAIN_WORDS = WORDS[: WORDS.index("throttled")]


@dataclass
class Watch(Screen):
    """A screen, and when it showed what."""

    first: float | None = None
    last_final: float | None = None
    finals: list[str] = field(default_factory=list)

    def take(self, message: Message) -> None:
        """Follows one message."""
        now = time.perf_counter()
        if message["type"] == "caption":
            self.first = self.first or now
            if message["final"]:
                self.last_final = now
                self.finals.append(message["text"])
        super().take(message)


@dataclass(frozen=True)
class Heard:
    """Seconds from sending one utterance."""

    accepted: float
    first: float
    """Until its first caption, final or not."""
    beyond: float
    """Until its last final, beyond its own length."""


class NotHeard(Exception):
    """An utterance's captions are not those of its words."""


def said(number: int) -> tuple[str, bytes]:
    """An utterance of the length asked for; none of a session is like another."""
    words = [PLAIN_WORDS[(number + word) % len(PLAIN_WORDS)] for word in range(SPOKEN)]
    samples = speech(words, SAMPLE_RATE)
    return f"{' '.join(words)}.".capitalize(), samples + silence(SECONDS, SAMPLE_RATE)[len(samples) :]


@contextmanager
def speaking(url: str, count: int) -> Iterator[list[Speaker]]:
    """So many users, each with a session."""
    with ExitStack() as stack:
        speakers = [stack.enter_context(Speaker(url, f"user-{number}")) for number in range(count)]
        for one in speakers:
            one.open()
        yield speakers


def listened(speaker: Speaker, count: int) -> list[Heard]:
    """One client's utterances, one after the other."""
    found: list[Heard] = []
    for number in range(count):
        text, samples = said(number)
        speaker.screen = watch = Watch()
        sent = time.perf_counter()
        speaker.send_audio(f"u{number}", samples, sequence=number)
        accepted = time.perf_counter()
        ended = speaker.ended(f"u{number}")
        if ended["type"] != "done" or watch.finals != [text] or watch.first is None or watch.last_final is None:
            raise NotHeard(f"{text} became {ended['type']}, {watch.finals}")
        found.append(Heard(accepted - sent, watch.first - sent, watch.last_final - sent - SECONDS))
    return found


def main() -> None:
    """Prints one table."""
    with tempfile.TemporaryDirectory() as folder, emulator.start(Path(folder)) as started:
        deployed = deploy(stack_files.read("local"), started.emulator, Silent())
        url = deployed.outputs["frontend"]["transcription"]["url"]
        with speaking(url, 2) as [first, second]:
            cold, alone = listened(first, 1), listened(second, UTTERANCES)
        with speaking(url, CLIENTS) as speakers, ThreadPoolExecutor(CLIENTS) as pool:
            together = list(pool.map(lambda one: listened(one, EACH), speakers))
    print(f"milliseconds, utterances of {SECONDS} s\n")
    print(f"{'':34}{'accepted':>16}{'first caption':>18}{'last final beyond':>22}")
    print(f"{'':34}{'p50':>8}{'p95':>8}{'p50':>10}{'p95':>8}{'p50':>14}{'p95':>8}{'most':>8}")
    _line("the first of all", cold)
    _line(f"one client, {UTTERANCES} utterances", alone)
    _line(f"{CLIENTS} clients at once, their first", [one[0] for one in together])
    _line(f"{CLIENTS} clients at once, {EACH - 1} more each", [heard for one in together for heard in one[1:]])


def _line(name: str, heard: Sequence[Heard]) -> None:
    figures = [
        f"{1000 * at_share(seconds, share):{width}.0f}"
        for seconds, first in (
            ([one.accepted for one in heard], 8),
            ([one.first for one in heard], 10),
            ([one.beyond for one in heard], 14),
        )
        for share, width in ((0.5, first), (0.95, 8))
    ]
    print(f"{name:34}{''.join(figures)}{1000 * max(one.beyond for one in heard):8.0f}")


if __name__ == "__main__":
    main()
