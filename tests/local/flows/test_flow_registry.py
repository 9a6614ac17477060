"""Test of the registry of flows, which use a backend from end to end. Other tests cover the flows themselves."""

from collections import Counter
from typing import cast

import pytest

from local.flows import Deployment, flow_registry, ingestion_flow
from local.flows.ingestion_flow import IngestionOutcome

pytestmark = pytest.mark.unit


def test_each_run_of_the_ingestion_flow_has_its_own_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    """A platform keeps the files of earlier runs, and the flow counts the files below its prefix."""
    prefixes: list[str] = []

    def play(_runs: object, prefix: str, *_: object) -> IngestionOutcome:
        prefixes.append(prefix)
        return IngestionOutcome([], Counter(), Counter(), [])

    monkeypatch.setattr(ingestion_flow, "play", play)
    monkeypatch.setattr(flow_registry, "IngestionRuns", lambda deployment: deployment)
    for _ in range(2):
        flow_registry.FLOWS["ingestion"].play(cast("Deployment", None), lambda _: None)
    first, second = prefixes
    assert not first.startswith(second)
    assert not second.startswith(first)
