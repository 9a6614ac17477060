"""Tests of the archive of events: its source and its retention."""

import json

from components.blocks.messaging.event_archive import EventArchive, EventArchiveArgs
from tests.fake_engine import Engine, scope


def test_only_events_of_the_given_source_are_archived(engine: Engine) -> None:
    args = EventArchiveArgs(scope(), "EpisodeEvents", "polyphony.ingestion", days=14)
    archive = engine.run(lambda: EventArchive("episode-events", args)).one("cloudwatch.EventArchive").inputs
    assert json.loads(archive["eventPattern"]) == {"source": ["polyphony.ingestion"]}
    assert archive["eventSourceArn"] == "arn:aws:events:us-east-1:123456789012:event-bus/default"
    assert archive["retentionDays"] == 14
