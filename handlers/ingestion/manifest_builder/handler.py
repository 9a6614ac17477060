"""Manifest builder: the Lambda function that gets S3 notifications from SQS.

It tracks the announced files, which means that it records them in the file table, and then puts pending files into
manifests (lists of files for one Spark run). SQS delivers only the messages again whose files could not be tracked. An
error during the creation of manifests fails no message, because the sweeper, a scheduled function, also creates them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

from handlers.common.events import BatchFailures, process_batch
from handlers.common.logging import hash_for_log
from handlers.ingestion.environment import BuilderEnvironment
from handlers.ingestion.files import parse_arrived_files
from handlers.ingestion.manifest_creation import MAX_MANIFESTS, ManifestCreator, create_manifest_creator


@dataclass(frozen=True)
class ManifestBuilder:
    """The work of one invocation."""

    creator: ManifestCreator
    environment: BuilderEnvironment

    def handle(self, messages: list[dict[str, Any]]) -> BatchFailures:
        """Handle the messages of one invocation. Return those that SQS must deliver again."""
        failures = process_batch(messages, self._track_files, self.creator.manifests.log, event_kind="file")
        try:
            self._create_manifests()
        except Exception as error:  # noqa: BLE001 - the files are tracked, and the sweeper completes the work
            self.creator.manifests.log.failure("building_failed", error)
        return failures

    def _track_files(self, body: str) -> None:
        log = self.creator.manifests.log
        for file in parse_arrived_files(body):
            key_hash, rejection = hash_for_log(file.sort_key), file.find_rejection(self.environment.max_file_bytes)
            if not self.creator.manifests.files.track(file, rejection):
                log.info("file_already_tracked", key_hash=key_hash)
            elif rejection:
                log.warning("file_rejected", key_hash=key_hash, code=rejection)

    def _create_manifests(self) -> None:
        if not self.environment.flush_at_once:
            self.creator.create_manifests()
            return
        for _ in range(MAX_MANIFESTS):  # a concurrent builder may get a part of the files first
            self.creator.create_manifests(timedelta())
            if not self.creator.manifests.files.list_pending(1):
                return


@cache
def _builder() -> ManifestBuilder:
    environment = BuilderEnvironment.read()
    return ManifestBuilder(create_manifest_creator(environment), environment)


def handler(event: Mapping[str, Any], _context: object) -> BatchFailures:
    return _builder().handle(event["Records"])
