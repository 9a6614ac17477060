"""Ingestion whole: 450 files become two full manifests, a flushed one, and exactly their rows in the lake."""

from collections import Counter

import pytest

from local.flows.ingestion_scenario import Outcome, expected
from tests.end_to_end.conftest import INGESTED_FILES, Played

pytestmark = [pytest.mark.e2e, pytest.mark.spark, pytest.mark.xdist_group("platform")]


def test_450_files_become_two_full_manifests_a_flushed_one_and_exactly_their_rows(
    ingestion_played: Played[tuple[int, Outcome]],
) -> None:
    waiting, outcome = ingestion_played.outcome
    assert outcome.ended == Counter(SUCCEEDED=3)
    assert outcome.sizes == [200, 200, 50 + waiting]
    assert outcome.statuses == {"processed": INGESTED_FILES, "rejected": 2}
    assert outcome.rows == expected(INGESTED_FILES)
