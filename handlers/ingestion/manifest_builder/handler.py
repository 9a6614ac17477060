"""Takes in announced files and makes manifests of them.

Each version is tracked once, and only messages that failed go back to the queue. Making manifests never fails a
message: its files are tracked by then, and what a builder leaves undone the sweeper does.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from functools import cache
from typing import Any

import boto3

from handlers.common.aws.clients import CONFIG, MAX_WORKERS
from handlers.common.aws.parallel_calls import ParallelCalls
from handlers.common.aws.s3_notifications import InvalidEvent
from handlers.common.aws.sqs_batches import BatchFailures
from handlers.common.logging import EventLog, hash_for_log
from handlers.common.time_and_ids import clock
from handlers.ingestion.environment import BuilderEnvironment
from handlers.ingestion.execution_names import Workflow
from handlers.ingestion.file_admission import Admission, ArrivedFile, arrived_files
from handlers.ingestion.file_table import FileTable
from handlers.ingestion.manifest_creation import ManifestMaker
from handlers.ingestion.manifest_lists import Lists
from handlers.ingestion.manifest_records import ManifestRecords
from handlers.ingestion.sweeper.reconciliation import LATE

MANIFESTS_A_BATCH = 5
"""Bounds one invocation: enough to catch up ten times as fast as a full batch arrives."""


@dataclass(frozen=True)
class Builder:
    """Tracks the files of a batch of messages, then makes manifests of what is pending."""

    table: FileTable
    admission: Admission
    maker: ManifestMaker
    _: KW_ONLY
    parallel: ParallelCalls
    log: EventLog
    clock: Callable[[], datetime]

    def handle(self, messages: Sequence[Mapping[str, Any]]) -> BatchFailures:
        """One invocation."""
        answer = self.take_in(messages)
        self.build()
        return answer

    def take_in(self, messages: Sequence[Mapping[str, Any]]) -> BatchFailures:
        """Tracks what the messages announce; the answer names the messages to deliver again."""
        failed: set[str] = set()
        announced: list[tuple[str, ArrivedFile]] = []
        for message in messages:
            try:
                for file in arrived_files(message["body"]):
                    announced.append((message["messageId"], file))  # noqa: PERF401 - kept where a later record is bad
            except InvalidEvent:
                # Delivered again a few times, then parked in the dead-letter queue, where a person can look at it.
                self.log.warning("message_refused", code="NOT_AN_S3_EVENT")
                failed.add(message["messageId"])
        outcomes = self.parallel.call_each(self._track, [file for _, file in announced])
        for (identifier, _), outcome in zip(announced, outcomes, strict=True):
            if isinstance(outcome, Exception) and identifier not in failed:
                # Its message alone goes back; the batch's others must not repeat.
                self.log.error("message_failed", error_type=type(outcome).__name__)
                failed.add(identifier)
        self.log.info("batch_taken_in", records=len(messages), files=len(announced), failed=len(failed))
        return {
            "batchItemFailures": [
                {"itemIdentifier": one["messageId"]} for one in messages if one["messageId"] in failed
            ]
        }

    def build(self) -> None:
        """Makes manifests, as far as this goes."""
        try:
            self.maker.build_full(set(), MANIFESTS_A_BATCH)
        except Exception as error:  # noqa: BLE001 - the files are tracked, and the sweeper goes on from there
            self.log.error("building_failed", error_type=type(error).__name__)

    def _track(self, file: ArrivedFile) -> None:
        refusal = self.admission.refusal(file)
        # The daily comparison may have met such a version first, under the day that the bucket's listing gives.
        look_around = file.in_parts or self.clock() - file.arrived > LATE
        if not self.table.track(file, refusal, look_around=look_around):
            self.log.info("file_already_tracked", key_hash=hash_for_log(file.file_key))
        elif refusal:
            self.log.warning("file_rejected", key_hash=hash_for_log(file.file_key), code=refusal)


@cache
def _builder() -> Builder:
    """Made once a container."""
    environment = BuilderEnvironment.read()
    log, parallel = EventLog(environment.log_level), ParallelCalls(MAX_WORKERS)
    where = (
        boto3.client("dynamodb", config=CONFIG),
        environment.manifest_table_name,
        environment.record_days,
        clock.now,
    )
    table = FileTable(*where, environment.open_shards)
    maker = ManifestMaker(
        table,
        ManifestRecords(*where),
        Lists(boto3.client("s3", config=CONFIG), environment.lake_bucket),
        Workflow(boto3.client("stepfunctions", config=CONFIG), environment.state_machine_arn),
        parallel=parallel,
        log=log,
        clock=clock.now,
        new_id=clock.new_id,
        files_per_manifest=environment.files_per_manifest,
        manifest_bytes=environment.manifest_bytes,
    )
    admission = Admission.of(environment.allowed_suffixes, environment.max_file_bytes)
    return Builder(table, admission, maker, parallel=parallel, log=log, clock=clock.now)


def handler(event: Mapping[str, Any], _context: object) -> BatchFailures:
    """The entry point of the function."""
    return _builder().handle(event["Records"])
