"""Ingestion whole: 450 files become two full manifests, a flushed one, and exactly their rows in the lake."""

from collections import Counter

import pytest

from local.flows.ingestion import Runs
from local.flows.ingestion_scenario import expected, play
from tests.end_to_end.conftest import Platform

pytestmark = [pytest.mark.e2e, pytest.mark.spark, pytest.mark.xdist_group("platform")]

FILES = 450


def test_450_files_become_two_full_manifests_a_flushed_one_and_exactly_their_rows(
    runs: Runs, platform: Platform
) -> None:
    mark = platform.mark()
    waiting = runs.statuses("")["pending"]  # other tests' files, which the last manifest takes along
    outcome = play(runs, "incoming/runs", FILES, lambda _: None)
    assert outcome.ended == Counter(SUCCEEDED=3)
    assert outcome.sizes == [200, 200, 50 + waiting]
    assert outcome.statuses == {"processed": FILES, "rejected": 2}
    assert outcome.rows == expected(FILES)
    assert platform.grants_against_use(mark).problems() == []
