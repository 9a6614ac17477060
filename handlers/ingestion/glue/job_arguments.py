"""Arguments of the Spark job, parsed from Glue's command line.

Glue's own helper is not used, because it exists only on Glue. Options that Glue adds for itself are ignored.
"""

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass

SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
"""Names that may become part of an object key in the lake."""
MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class JobArguments:
    manifest_uri: str
    """URI of the list of files to process: those files of the manifest that still belonged to it when the execution of the
    workflow began.
    """
    lake_uri: str
    """URI of the lake bucket, with a slash at the end."""
    run_id: str
    schema_ddl: str
    """Columns as a Spark DDL string. Empty if they are inferred from the records."""
    max_rejected_share: float
    """Share of rejected lines, from 0 to 1, above which the run fails."""
    target_bytes: int
    """Intended size of a Parquet file."""
    local_spark: bool
    """True on the local platform and in tests, whose Spark runs on one machine and cannot write to s3://."""


def parse_arguments(argv: Sequence[str]) -> JobArguments:
    parser = argparse.ArgumentParser(allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--manifest_uri", required=True)
    parser.add_argument("--lake_uri", required=True)
    parser.add_argument("--run_id", default="")
    parser.add_argument("--JOB_RUN_ID", dest="job_run_id", default="")
    # Glue drops an empty value but keeps its name.
    parser.add_argument("--schema_ddl", nargs="?", default="", const="")
    parser.add_argument("--max_rejected_share", type=float, default=0.05)
    parser.add_argument("--target_file_mb", type=int, default=128)
    parser.add_argument("--local_spark", action="store_true")
    options, _ = parser.parse_known_args(list(argv))
    run_id = options.run_id or options.job_run_id
    if not SAFE_NAME.fullmatch(run_id):
        raise ValueError(
            "--run_id (or Glue's --JOB_RUN_ID) is missing or invalid: use up to 200 letters, digits, '.', '_' and '-', "
            "beginning with a letter or digit"
        )
    if not 0 <= options.max_rejected_share <= 1:
        raise ValueError(f"--max_rejected_share is {options.max_rejected_share}: give a share from 0 to 1")
    if options.target_file_mb < 1:
        raise ValueError(f"--target_file_mb is {options.target_file_mb}: give at least 1")
    for uri in (options.manifest_uri, options.lake_uri):
        if not uri.startswith("s3://"):
            raise ValueError("--manifest_uri and --lake_uri must start with s3://")
    return JobArguments(
        manifest_uri=options.manifest_uri,
        lake_uri=options.lake_uri.rstrip("/") + "/",
        run_id=run_id,
        schema_ddl=(options.schema_ddl or "").strip(),
        max_rejected_share=options.max_rejected_share,
        target_bytes=options.target_file_mb * MEGABYTE,
        local_spark=options.local_spark,
    )
