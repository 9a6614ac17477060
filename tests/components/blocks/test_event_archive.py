"""An archive: one source's events, for some days, to be replayed."""

import json

from components.blocks.event_archive import EventArchive, EventArchiveArgs
from tests.engine import Engine, scope


def test_only_events_of_our_own_source_are_kept(engine: Engine) -> None:
    args = EventArchiveArgs(scope(), "EpisodeEvents", "polyphony.ingestion", days=14)
    archive = engine.run(lambda: EventArchive("episode-events", args)).one("cloudwatch.EventArchive").inputs
    assert json.loads(archive["eventPattern"]) == {"source": ["polyphony.ingestion"]}
    assert archive["eventSourceArn"] == "arn:aws:events:us-east-1:123456789012:event-bus/default"
    assert archive["retentionDays"] == 14


def test_its_name_fits_whatever_the_stack_is_called(engine: Engine) -> None:
    args = EventArchiveArgs(scope(), "EpisodeEvents", "polyphony.ingestion", days=14)
    name = engine.run(lambda: EventArchive("e" * 40, args)).one("cloudwatch.EventArchive").inputs["name"]
    assert len(name) == 48
