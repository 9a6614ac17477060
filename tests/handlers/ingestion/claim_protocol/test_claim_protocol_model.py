"""The claim protocol under thousands of schedules. `make fuzz` runs many more.

The claim protocol is the order of calls by which ingestion processes each file exactly once. A schedule decides in
which order concurrent functions send their calls, and which calls are lost or late. It is a list of choices, each of
which is the number of an option. If a test fails, it prints a shortened schedule and the command that repeats it.
"""

import pytest

from tests.handlers.ingestion.claim_protocol.__main__ import main
from tests.handlers.ingestion.claim_protocol.broken_protocols import break_protocol
from tests.handlers.ingestion.claim_protocol.schedule_choices import from_text, shorten, to_text
from tests.handlers.ingestion.claim_protocol.schedule_search import describe, describe_choices, search

SCHEDULES = 2000


def test_no_schedule_of_the_claim_protocol_ends_in_a_wrong_result() -> None:
    result = search(range(SCHEDULES))
    assert not result.failing_seeds, describe(result.failing_seeds[0])
    assert result.counts["schedules"] == SCHEDULES
    for event in ("kills", "late_requests", "interruptions", "redrives"):
        assert result.counts[event] > SCHEDULES, f"too few {event} in the schedules"


def test_a_seed_and_its_shortened_choices_repeat_a_failing_schedule() -> None:
    with break_protocol("old output is deleted before the pointers are written"):
        (seed,) = search(range(100), stop_at_first=True).failing_seeds
        description = describe(seed)
        assert "Wrong result: pointers/" in description
        choices = from_text(description.rpartition("--replay ")[2])
        assert describe_choices(choices) == description
    assert "Wrong result: none" in describe_choices(choices), "the schedule only fails with the defect"


def test_the_command_repeats_a_schedule(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--replay", "0:2,2:1"]) == 0
    printed = capsys.readouterr().out
    assert "builder (1): PutItem" in printed
    assert printed.endswith("--replay 0:2,2:1\n")


def test_choices_are_shortened_to_those_that_matter() -> None:
    choices = [3, 1, 4, 1, 5, 9, 2, 6]
    assert shorten(choices, lambda shorter: list(shorter[4:5]) == [5]) == [0, 0, 0, 0, 5]
    assert from_text(to_text(choices)) == choices
    assert from_text("") == []
