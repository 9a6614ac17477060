"""Creation of manifests from pending files. Two functions use it: the manifest builder, which gets the S3 notifications
of new files, and the sweeper, which a schedule invokes.

The order of the steps is: list the pending files, write the list to S3, start the execution, write the manifest record,
take the files, which marks them as the manifest's own. There is no lock. If a function dies before the start, the files
are still pending. If it dies after the start, the execution itself completes the last two steps. Two functions may start
executions for the same files, but each file belongs to one manifest only, and an execution without files ends without a
Spark run.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from handlers.common.aws import CONFIG
from handlers.common.executions import WorkflowExecutions
from handlers.common.ids import new_id, timestamp
from handlers.common.logging import id_for_log
from handlers.ingestion.environment import ManifestCreationEnvironment
from handlers.ingestion.files import ListedFile
from handlers.ingestion.manifest_s3_keys import first_list_key
from handlers.ingestion.manifests import Manifest, ManifestExecution, Manifests, connect_manifests

MAX_MANIFESTS = 10
"""Maximum number of manifests that one call creates. At the default size they take 2,000 files, more than one batch of
SQS messages announces. So the builder also works off files that earlier invocations left pending."""


def group_files(pending: Sequence[ListedFile], max_files: int, max_bytes: int) -> list[list[ListedFile]]:
    """Return the files in groups, in their order. Only the last group may have room for further files.

    A file that is larger than `max_bytes` is a group of its own.
    """
    groups: list[list[ListedFile]] = []
    group_bytes = 0
    for file in pending:
        group_bytes += file.size
        if not groups or len(groups[-1]) == max_files or group_bytes > max_bytes:
            groups.append([])
            group_bytes = file.size
        groups[-1].append(file)
    return groups


@dataclass(frozen=True)
class ManifestCreator:
    """Creator of manifests and their executions, from the files that are pending in the file table."""

    manifests: Manifests
    executions: WorkflowExecutions
    new_id: Callable[[], str]
    """Return a new manifest id, which is a ULID."""
    environment: ManifestCreationEnvironment
    """Environment with the limits of a manifest."""

    def create_manifests(self, waited: timedelta | None = None) -> list[int]:
        """Create full manifests of the files that have waited longest. Return the number of files of each.

        If `waited` is given, the last manifest need not be full if its oldest file has waited for that time. The
        creation stops early if another function has just taken the files, or if a start fails. The next invocation
        continues.
        """
        files, max_files = self.manifests.files, self.environment.files_per_manifest
        # An empty text sorts before every time, so no file has waited long enough.
        latest = timestamp(files.clock() - waited) if waited is not None else ""
        groups = group_files(files.list_pending(MAX_MANIFESTS * max_files), max_files, self.environment.manifest_bytes)
        counts: list[int] = []
        for number, group in enumerate(groups[:MAX_MANIFESTS], start=1):
            is_full = number < len(groups) or len(group) == max_files
            if not is_full and group[0].open_since > latest:
                break
            if not self._create(group, files.clock()):
                break
            counts.append(len(group))
        return counts

    def _create(self, files: Sequence[ListedFile], now: datetime) -> bool:
        """Create a manifest. Return False if it was not started, or if another function has taken its files."""
        manifest = Manifest(manifest_id=self.new_id(), created_at=now, files=tuple(files))
        manifest_id, log = id_for_log(manifest.manifest_id), self.manifests.log
        self.manifests.documents.write(first_list_key(manifest.manifest_id), manifest)
        execution = ManifestExecution.from_arn(self.executions.arn(manifest.manifest_id))
        try:
            self.executions.start(manifest.manifest_id, {"schemaVersion": 1, "manifestId": manifest.manifest_id})
        except (ClientError, BotoCoreError) as error:
            # If the execution runs nevertheless, it takes the files that are still pending then.
            log.failure("manifest_not_started", error, manifest_id=manifest_id, files=len(files))
            return False
        try:
            # The record comes first, because the sweeper finds `manifested` files only through it.
            self.manifests.begin(execution, len(files))
            taken = self.manifests.take_files(manifest.manifest_id, files, from_failed=False)
        except Exception as error:  # noqa: BLE001 - the execution runs, writes the record and takes the files itself
            log.failure("manifest_record_failed", error, manifest_id=manifest_id)
            return False
        log.info("manifest_started", manifest_id=manifest_id, files=len(taken))
        return bool(taken)


def create_manifest_creator(environment: ManifestCreationEnvironment) -> ManifestCreator:
    return ManifestCreator(
        connect_manifests(environment),
        WorkflowExecutions(boto3.client("stepfunctions", config=CONFIG), environment.state_machine_arn),
        new_id,
        environment,
    )
