"""Intake of files by the manifest builder: it tracks the files that S3 notifications announce, then creates manifests.

To track a file means to create its record in the file table. A file is one version of an object, and is tracked only
once. Its record is pending until a manifest, a list of files for one Spark run, claims the file.

SQS redelivers only the messages whose files could not be tracked. An error during the creation of manifests fails no
message, because the files are already tracked, and the sweeper, a scheduled function, also creates manifests.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import datetime, timedelta
from typing import Any

from handlers.common.aws import ParallelCalls
from handlers.common.events import BatchFailures
from handlers.common.logging import EventLog, hash_for_log
from handlers.ingestion.arrived_files import ADJACENT_DATES_CHECK_AGE, ArrivedFile, parse_arrived_files
from handlers.ingestion.file_admission import AdmissionRules
from handlers.ingestion.file_table import FileTable
from handlers.ingestion.manifest_creation import ManifestCreator
from handlers.ingestion.table_keys_and_updates import RecordId

MAX_MANIFESTS_PER_INVOCATION = 5
"""Maximum number of full manifests that one invocation creates. At the default size they take 1,000 files, more than
one batch of SQS messages announces. So the builder also works off files that earlier invocations left pending."""


@dataclass(frozen=True)
class FileIntake:
    table: FileTable
    admission: AdmissionRules
    creator: ManifestCreator
    _: KW_ONLY
    parallel: ParallelCalls
    log: EventLog
    clock: Callable[[], datetime]
    flush_at_once: bool = False
    """Also create manifests that are not full."""

    def handle(self, messages: Sequence[Mapping[str, Any]]) -> BatchFailures:
        """Handle the messages of one invocation. Return those that SQS must deliver again."""
        failures = self.track_files(messages)
        self.create_manifests()
        return failures

    def track_files(self, messages: Sequence[Mapping[str, Any]]) -> BatchFailures:
        failed: set[str] = set()
        announced: list[tuple[str, ArrivedFile]] = []
        for message in messages:
            try:
                announced += [(message["messageId"], file) for file in parse_arrived_files(message["body"])]
            except ValueError as error:  # of pydantic, or InvalidEvent
                # SQS delivers the message again a few times, then moves it to the dead-letter queue for an operator.
                self.log.failure("message_failed", error)
                failed.add(message["messageId"])
        outcomes = self.parallel.call_each(self._track, [file for _, file in announced])
        for (identifier, _), outcome in zip(announced, outcomes, strict=True):
            if isinstance(outcome, Exception) and identifier not in failed:
                # SQS delivers only this message again, not the whole batch.
                self.log.failure("message_failed", outcome)
                failed.add(identifier)
        self.log.info("batch_taken_in", records=len(messages), files=len(announced), failed=len(failed))
        return {
            "batchItemFailures": [
                {"itemIdentifier": message["messageId"]} for message in messages if message["messageId"] in failed
            ]
        }

    def create_manifests(self) -> None:
        """Create manifests of pending files. Log an error instead of raising it."""
        tried: set[RecordId] = set()
        try:
            self.creator.create_full_manifests(tried, MAX_MANIFESTS_PER_INVOCATION)
            if self.flush_at_once:
                self._flush(tried)
        except Exception as error:  # noqa: BLE001 - the files are tracked, and the sweeper completes the work
            self.log.failure("building_failed", error)

    def _flush(self, tried: set[RecordId]) -> None:
        """Create manifests, full or not, of the pending files. Continue if a concurrent builder claims a file first."""
        for _ in range(MAX_MANIFESTS_PER_INVOCATION):
            if not self.table.list_pending(1, tried):
                return
            self.creator.flush(tried, timedelta(), max_manifests=1)

    def _track(self, file: ArrivedFile) -> None:
        rejection = self.admission.find_rejection(file)
        # The command `announce` announces old files with the date in the bucket's listing, which can differ from the
        # date in S3's notification. So the file may be tracked under the other date. A multipart upload can look old
        # even if it has just ended, because the listing shows when it began.
        check_adjacent_dates = file.in_parts or self.clock() - file.arrived > ADJACENT_DATES_CHECK_AGE
        if not self.table.track(file, rejection, check_adjacent_dates=check_adjacent_dates):
            self.log.info("file_already_tracked", key_hash=hash_for_log(file.sort_key))
        elif rejection:
            self.log.warning("file_rejected", key_hash=hash_for_log(file.sort_key), code=rejection)
