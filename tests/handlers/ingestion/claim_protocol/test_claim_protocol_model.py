"""The claim protocol under thousands of schedules. `make fuzz` runs many more.

If a test fails, it prints a shortened schedule and the command that repeats it.
"""

from tests.handlers.ingestion.claim_protocol.broken_protocols import broken
from tests.handlers.ingestion.claim_protocol.schedule_choices import from_text
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
