"""How long voice Q&A takes, beside the figures of its requirements: the deployed functions over real sockets.

Everything runs on the local platform: emulator, functions as processes, the agent, all on the same cores. Words are
tones, which the agent hears. The first of each kind is cold and stands by itself.
"""

import random
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Barrier

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.figures import at_share, verdict
from local import emulator, stack_files
from local.aws import EmulatorClients
from local.flows import Deployment, NotInTime
from local.flows.dialogue import Message
from local.flows.voice_qa import Heard, Lectures, Listener
from local.flows.voice_qa_scenario import LECTURE
from local.platform import deploy
from local.progress import Silent

ROUNDS = 20
ASK_AGAIN = ("UNAVAILABLE", "INTERNAL")
MOST_TRIES = 12
CLIENTS = 100
"""How many ask in the same moment."""


class NotAnswered(Exception):
    """An answer is not what the lecture says."""


class Timed(Listener):
    """Notes when pieces came."""

    def __init__(self, lectures: Lectures) -> None:
        super().__init__(lectures)
        self.times: list[float] = []

    def _take(self, message: Message) -> None:
        if "number" in message:
            self.times.append(time.perf_counter())
        super()._take(message)


@dataclass(frozen=True)
class Asked:
    """How one question went."""

    first: float
    """Seconds to the first piece."""
    whole: float
    repeated: int
    """Pieces that came more than once."""
    again: int
    """How often it was refused for the moment, and asked again under its name."""


def asked(listener: Timed, lecture_id: str) -> Asked:
    """Asks until it is answered, as a client does, and checks what it hears."""
    listener.times.clear()
    begun = time.perf_counter()
    query_id = uuid.uuid4().hex
    for again in range(MOST_TRIES):
        heard = tried(listener, lecture_id, query_id)
        if heard is not None:
            ended = time.perf_counter()
            checked(heard)
            return Asked(listener.times[0] - begun, ended - begun, heard.repeated, again)
        time.sleep(random.uniform(0, again + 1))  # noqa: S311 - so that they do not come back together
    raise NotAnswered(f"{query_id}: asked {MOST_TRIES} times")


def tried(listener: Timed, lecture_id: str, query_id: str) -> Heard | None:
    """The answer; none where it is refused for the moment, breaks, or is not heard of."""
    try:
        answer, heard = listener.question(lecture_id, query_id, text="tones")
    except NotInTime:
        return None
    if answer["type"] == "error" and answer["code"] not in ASK_AGAIN:
        raise NotAnswered(str(answer))
    if heard.end is not None and heard.end["type"] == "error" and heard.end["retryable"]:
        heard.end = None
    return heard if heard.end is not None else None


def checked(heard: Heard) -> None:
    """Whole, in order, and from the lecture."""
    quotes = [one["quote"] for one in heard.citations()]
    whole = heard.end is not None and heard.end["type"] == "answered" and heard.end["pieces"] == len(heard.pieces)
    if not whole or heard.numbers != list(range(len(heard.pieces))) or quotes != ["we speak in tones and captions"]:
        raise NotAnswered(f"{heard.end}, numbers {heard.numbers}, {quotes}")


def timed(what: Callable[[], object]) -> float:
    """Seconds of one call."""
    begun = time.perf_counter()
    what()
    return time.perf_counter() - begun


def main() -> None:
    """Prints one table."""
    with tempfile.TemporaryDirectory() as folder, emulator.start(Path(folder)) as started:
        deployed = deploy(stack_files.read("local"), started.emulator, Silent())
        clients = EmulatorClients(started.emulator.endpoint)
        lectures = Lectures(Deployment(started.emulator, clients, deployed.ids, deployed.outputs))
        print("milliseconds\n")
        print(f"{'':46}{'first':>8}{'p50':>8}{'p95':>8}{'most':>8}   asked for")
        _alone(lectures)
        _together(lectures)


def _alone(lectures: Lectures) -> None:
    guest = lectures.guest()
    with ExitStack() as stack:
        connects = [timed(lambda: stack.enter_context(Listener(lectures, guest))) for _ in range(ROUNDS)]
    _line("a signed handshake", connects, 100)
    with Timed(lectures) as listener:
        _line("ping, answered", [timed(lambda: listener.ask("ping")) for _ in range(ROUNDS)], 100)
        forms = [timed(lambda: listener.ask("upload", kind="query", contentType="audio/ogg")) for _ in range(ROUNDS)]
        _line("a form for a question", forms, 50)
        table = lectures.client("dynamodb")
        key = {"sessionId": {"S": "lecture#none"}, "lectureId": {"S": "none"}}
        reads = [timed(lambda: table.get_item(TableName=lectures.table, Key=key)) for _ in range(ROUNDS)]
        _line("one item read from outside", reads, 10)
        uploaded = (listener.upload_lecture(LECTURE) for _ in range(5))
        validations = [(timed(partial(lectures.validated, one)), one) for one in uploaded]
        _line("from a lecture's upload to its verdict", [one[0] for one in validations], 2000)
        lecture_id = validations[-1][1]
        answers = [asked(listener, lecture_id) for _ in range(ROUNDS)]
    _line("from a question to its first piece", [one.first for one in answers], None)
    _line("from a question to its whole answer", [one.whole for one in answers], 10_000)


def _together(lectures: Lectures) -> None:
    with Timed(lectures) as listener:
        lecture_id = listener.upload_lecture(LECTURE)
        lectures.validated(lecture_id)

    with ExitStack() as stack, ThreadPoolExecutor(CLIENTS) as pool:
        clients = [stack.enter_context(Timed(lectures)) for _ in range(CLIENTS)]
        for what in ("cold", "warm"):
            together = Barrier(CLIENTS)

            def one(client: Timed, together: Barrier = together) -> Asked:
                together.wait()
                return asked(client, lecture_id)

            answers = list(pool.map(one, clients))
            _line(f"{CLIENTS} guests at once, {what}: first piece", [one.first for one in answers], None)
            _line(f"{CLIENTS} guests at once, {what}: whole answer", [one.whole for one in answers], 10_000)
            twice, again = sum(one.repeated for one in answers), sum(one.again for one in answers)
            print(
                f"  {len(answers)} answers whole and in order; {twice} pieces came twice, {again} questions asked again"
            )


def _line(name: str, seconds: list[float], aim_ms: float | None) -> None:
    rest = [1000 * one for one in seconds[1:]]
    p95 = at_share(rest, 0.95)
    figures = f"{1000 * seconds[0]:8.0f}{at_share(rest, 0.5):8.0f}{p95:8.0f}{max(rest):8.0f}"
    print(f"{name:46}{figures}   {f'< {aim_ms:.0f}: {verdict(p95, aim_ms)}' if aim_ms else ''}", flush=True)


if __name__ == "__main__":
    main()
