"""Search for schedules of the claim protocol that end in a wrong result.

A schedule decides in which order the actors of the protocol's model send their calls, and which calls are lost or late.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tests.handlers.ingestion.claim_protocol.claim_protocol_model import ClaimProtocolModel, ProtocolViolation
from tests.handlers.ingestion.claim_protocol.schedule_choices import ScheduleChoices, shorten, to_text

COMMAND = ".venv/bin/python -m tests.handlers.ingestion.claim_protocol"


@dataclass
class SearchResult:
    """Result of a search."""

    counts: Counter[str] = field(default_factory=Counter)
    """Numbers of schedules, kills, delayed requests, stopped executions and redrives."""
    failing_seeds: list[int] = field(default_factory=list)


def search(seeds: Iterable[int], *, stop_at_first: bool = False) -> SearchResult:
    """Run the schedule of each seed."""
    result = SearchResult()
    for seed in seeds:
        model = ClaimProtocolModel(ScheduleChoices(seed))
        try:
            model.run()
        except Exception:  # noqa: BLE001 - any failure of the handlers' code is a result of the search
            result.failing_seeds.append(seed)
        result.counts += Counter(schedules=1, **vars(model.counts))
        if result.failing_seeds and stop_at_first:
            break
    return result


def find_problem(choices: ScheduleChoices) -> tuple[str, list[str]]:
    """Run one schedule. Return its problem, or an empty text, and its log."""
    model = ClaimProtocolModel(choices)
    try:
        model.run()
    except ProtocolViolation as violation:
        return str(violation), model.log
    except Exception as error:  # noqa: BLE001 - as above
        return f"{type(error).__name__}: {error}", model.log
    return "", model.log


def describe(seed: int) -> str:
    """Shorten the failing schedule of a seed as far as possible. Return its log and problem, and the command that
    repeats it.
    """
    choices = ScheduleChoices(seed)
    find_problem(choices)

    def fails(shorter: Sequence[int]) -> bool:
        return bool(find_problem(ScheduleChoices(repeated=shorter))[0])

    return describe_choices(shorten(choices.recorded, fails))


def describe_choices(choices: Sequence[int]) -> str:
    """Return the log and the problem of a schedule, and the command that repeats it."""
    problem, log = find_problem(ScheduleChoices(repeated=choices))
    command = f"{COMMAND} --replay {to_text(choices)}"
    return "\n".join([*log, f"Wrong result: {problem or 'none'}", f"Repeat with: {command}"])
