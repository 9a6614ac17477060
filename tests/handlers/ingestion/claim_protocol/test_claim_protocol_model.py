"""The claim protocol under thousands of schedules. `make fuzz` runs many more.

If a test fails, it prints a shortened schedule and the command that repeats it.
"""

import pytest

from tests.handlers.ingestion.claim_protocol.__main__ import main
from tests.handlers.ingestion.claim_protocol.broken_protocols import broken
from tests.handlers.ingestion.claim_protocol.claim_protocol_model import ClaimProtocolModel
from tests.handlers.ingestion.claim_protocol.schedule_choices import ScheduleChoices, from_text, shorten, to_text
from tests.handlers.ingestion.claim_protocol.schedule_search import describe, describe_choices, search

SCHEDULES = 2000


def test_no_schedule_of_the_claim_protocol_ends_in_a_wrong_result() -> None:
    result = search(range(SCHEDULES))
    assert not result.failing_seeds, describe(result.failing_seeds[0])
    assert result.counts["schedules"] == SCHEDULES
    for kind in ("kills", "delayed", "stopped", "redrives"):
        assert result.counts[kind] > SCHEDULES, f"too few in the schedules: {kind}"


def test_a_failing_schedule_is_shortened_and_repeated() -> None:
    with broken("old output is deleted before the pointers are written"):
        (seed,) = search(range(100), stop_at_first=True).failing_seeds
        text = describe(seed)
        assert "Wrong result: pointers/" in text
        choices = from_text(text.rpartition("--replay ")[2])
        assert describe_choices(choices) == text
    assert "Wrong result: none" in describe_choices(choices)


def test_the_command_repeats_a_schedule(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--replay", "0:2,2:1"]) == 0
    printed = capsys.readouterr().out
    assert "builder (1): PutItem" in printed
    assert printed.endswith("--replay 0:2,2:1\n")


def test_the_same_seed_gives_the_same_schedule() -> None:
    models = [ClaimProtocolModel(ScheduleChoices(7)) for _ in range(2)]
    for model in models:
        model.run()
    assert models[0].log == models[1].log
    replayed = ClaimProtocolModel(ScheduleChoices(given=models[0].choices.made))
    replayed.run()
    assert replayed.log == models[0].log


def test_choices_are_shortened_to_those_that_matter() -> None:
    choices = [3, 1, 4, 1, 5, 9, 2, 6]
    assert shorten(choices, lambda given: list(given[4:5]) == [5]) == [0, 0, 0, 0, 5]
    assert from_text(to_text(choices)) == choices
    assert from_text("") == []
