"""Benchmark of voice Q&A on the local platform, with the required and the measured times.

The emulator, the functions, the agent (the service that answers questions) and the clients share the cores. The first
call of each kind can start the process of a function, so it has a separate column.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

from benchmarks.benchmark_report import WrongResult, percentile, print_heading, print_table
from benchmarks.started_emulators import deploy_local_stack
from handlers.common.records import serialize_item
from handlers.voice_qa.records import lecture_key
from local.flows.speech_clips import clip_texts
from local.flows.voice_qa_client import GuestConnection
from local.flows.voice_qa_flow import LECTURE
from local.flows.websocket_client import Message
from tests.end_to_end.backends import DeployedVoiceQa

ROUNDS = 20
"""Number of calls of each kind."""
VALIDATIONS = 5
"""Number of lectures whose validation is timed."""
GUESTS = 10
QUOTE = clip_texts("oxygen")[0]
"""Quote from the lecture that every answer must have."""
Rows = dict[str, dict[str, float | str]]
"""Rows of a table by name. A row contains its values by column."""


class TimedGuestConnection(GuestConnection):
    """Connection of a guest (a browser user) that records when the pieces (numbered parts) of an answer arrive."""

    def __init__(self, backend: DeployedVoiceQa) -> None:
        super().__init__(backend)
        self.piece_times: list[float] = []

    def _process(self, message: Message) -> None:
        if "number" in message:
            self.piece_times.append(time.perf_counter())
        super()._process(message)

    def time_answer(self, lecture_id: str) -> tuple[float, float]:
        """Ask a question, and return the seconds to the first piece and to the whole answer."""
        self.piece_times.clear()
        started = time.perf_counter()
        _, answer = self.ask_question(lecture_id, text="oxygen")
        ended = time.perf_counter()
        quotes = [citation["quote"] for citation in answer.citations()]
        if answer.numbers != list(range(len(answer.pieces))) or quotes != [QUOTE]:
            raise WrongResult(f"{answer.end}, pieces {answer.numbers}, quotes {quotes}")
        return self.piece_times[0] - started, ended - started


def time_calls(call: Callable[[], object], count: int = ROUNDS) -> list[float]:
    """Return the seconds of each call."""
    seconds = []
    for _ in range(count):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return seconds


def to_row(seconds: list[float], required: str = "") -> dict[str, float | str]:
    """Return a row with the first call's milliseconds, and the distribution of the others.

    `required` is the required time in milliseconds, for example `< 100`, or empty if none is required.
    """
    first, *others = (1000 * value for value in seconds)
    figures = {"first": first, "median": percentile(others, 0.5), "p95": percentile(others, 0.95), "max": max(others)}
    return {**{name: round(value) for name, value in figures.items()}, "required": required}


def measure_guest(backend: DeployedVoiceQa) -> Rows:
    """Measure each step of a single guest."""
    rows: Rows = {}
    guest, table, key = backend.create_guest(), backend.client("dynamodb"), serialize_item(lecture_key("none"))
    # The connections stay open, because the end of a connection calls a function, which takes processor time.
    with ExitStack() as stack:
        rows["signed WebSocket handshake"] = to_row(
            time_calls(lambda: stack.enter_context(GuestConnection(backend, guest))), "< 100"
        )
        connection = stack.enter_context(TimedGuestConnection(backend))
        rows["ping, answered by the handler"] = to_row(time_calls(lambda: connection.ask("ping")), "< 100")
        rows["presigned form for an upload"] = to_row(
            time_calls(lambda: connection.ask("upload", kind="query", contentType="audio/ogg")), "< 50"
        )
        rows["read of one item, without a function"] = to_row(
            time_calls(lambda: table.get_item(TableName=backend.table, Key=key)), "< 10"
        )
        validations = []
        for _ in range(VALIDATIONS):
            # The upload itself is not timed.
            uploaded_id = connection.upload_lecture(*LECTURE)
            validations += time_calls(partial(backend.wait_until_validated, uploaded_id), 1)
        rows["validation of an uploaded lecture"] = to_row(validations, "< 2,000")
        lecture_id = connection.upload_lecture(*LECTURE)
        backend.wait_until_validated(lecture_id)
        answers = [connection.time_answer(lecture_id) for _ in range(ROUNDS)]
    rows["question to first piece"] = to_row([first for first, _ in answers])
    rows["question to whole answer"] = to_row([total_seconds for _, total_seconds in answers], "< 10,000")
    return rows


def measure_guests(backend: DeployedVoiceQa) -> Rows:
    """Measure guests that ask at the same time, after the processes of the functions have started."""
    with ExitStack() as stack, ThreadPoolExecutor(GUESTS) as pool:
        guests = [stack.enter_context(TimedGuestConnection(backend)) for _ in range(GUESTS)]
        lecture_id = guests[0].upload_lecture(*LECTURE)
        backend.wait_until_validated(lecture_id)
        for _ in range(2):  # the first round starts the processes
            answers = list(pool.map(lambda guest: guest.time_answer(lecture_id), guests))
    return {
        f"{GUESTS} guests at once, whole answer": to_row([total_seconds for _, total_seconds in answers], "< 10,000")
    }


def main() -> None:
    """Print one row per step."""
    print_heading("Voice Q&A, milliseconds")
    with deploy_local_stack() as deployment:
        backend = DeployedVoiceQa(deployment)
        print_table(measure_guest(backend) | measure_guests(backend))


if __name__ == "__main__":
    main()
