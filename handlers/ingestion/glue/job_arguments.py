"""What the job is told, from the command line that Glue gives it.

Parsed here rather than by Glue's own helper, which exists on Glue alone. Glue adds options of its own to the same line;
those are skipped.
"""

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass

SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
"""What may become part of an object's name in the lake."""
MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Arguments:
    """One run of the job."""

    manifest_uri: str
    lake_uri: str
    run_id: str
    schema_ddl: str
    max_rejected_share: float
    target_bytes: int


def parsed(argv: Sequence[str]) -> Arguments:
    """The arguments, checked: a run with wrong ones must end before it touches anything."""
    parser = argparse.ArgumentParser(allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--manifest_uri", required=True)
    parser.add_argument("--lake_uri", required=True)
    parser.add_argument("--run_id", default="")
    parser.add_argument("--JOB_RUN_ID", dest="job_run_id", default="")
    # Glue drops an empty value but keeps its name.
    parser.add_argument("--schema_ddl", nargs="?", default="", const="")
    parser.add_argument("--max_rejected_share", type=float, default=0.05)
    parser.add_argument("--target_file_mb", type=int, default=128)
    given, _ = parser.parse_known_args(list(argv))
    run_id = given.run_id or given.job_run_id
    if not SAFE.fullmatch(run_id):
        raise ValueError("--run_id (or Glue's own --JOB_RUN_ID) must be given, of letters, digits, '.', '_' and '-'")
    if not 0 <= given.max_rejected_share <= 1:
        raise ValueError("--max_rejected_share is a share: 0 to 1")
    if given.target_file_mb < 1:
        raise ValueError("--target_file_mb is at least 1")
    for uri in (given.manifest_uri, given.lake_uri):
        if not uri.startswith("s3://"):
            raise ValueError("--manifest_uri and --lake_uri are s3:// addresses")
    return Arguments(
        manifest_uri=given.manifest_uri,
        lake_uri=given.lake_uri.rstrip("/") + "/",
        run_id=run_id,
        schema_ddl=(given.schema_ddl or "").strip(),
        max_rejected_share=given.max_rejected_share,
        target_bytes=given.target_file_mb * MEGABYTE,
    )
