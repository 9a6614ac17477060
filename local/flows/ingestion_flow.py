"""Ingestion's flow: files are dropped, some announced twice, some with awkward names or unreadable lines; rows come out.

One piece of code for the demo and for the end-to-end test: it drives and measures, whoever runs it compares. Nothing is
scripted; other files make other rows.
"""

import gzip
import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

from local.flows import Tell
from local.flows.ingestion_client import Runs

BAD_EVERY = 50
GZIP_EVERY = 9
REPEATED_EVERY = 30
LINES = 3
AWKWARD = {1: " two words", 2: "+plus+", 3: "%2Bpercent%", 4: "-ü-日本", 5: "/deep//er", 6: "&amp;=?#"}
"""What the names of some files hold besides their number."""
LONGEST, KEY_BYTES = 7, 1024
"""A file whose key is as long as S3 takes."""
NOT_UTF8 = 8
"""A file with a line that is no UTF-8."""


@dataclass(frozen=True)
class Outcome:
    """What became of the files."""

    sizes: list[int]
    """Files of each manifest, largest first."""
    ended: Counter[str]
    """How the workflows ended."""
    statuses: Counter[str]
    rows: list[tuple[Any, ...]]
    """What a reader of the lake sees, sorted."""


def expected(files: int) -> list[tuple[Any, ...]]:
    """The rows that the files hold, sorted."""
    return sorted(tuple(line.values()) for number in range(files) for line in _lines(number))


def play(runs: Runs, prefix: str, files: int, tell: Tell) -> Outcome:
    """Drops so many files below a prefix, and one each that is empty and of a kind that is not taken."""
    before = runs.executions()
    runs.drop_all({_key(prefix, number): _content(number) for number in range(files)})
    runs.drop_all({f"{prefix}/ignored.exe": b"x", f"{prefix}/empty.ndjson": b""})
    tell(f"{files} files dropped, some gzip, every {BAD_EVERY}th with a line that is no JSON; one empty, one foreign")
    runs.all_tracked(prefix, files + 2)
    for number in range(0, files, REPEATED_EVERY):
        runs.intake.announce_again(runs.intake.tracked(_key(prefix, number))[0])
    runs.intake.emptied()
    tell(f"each tracked once, every {REPEATED_EVERY}th although it was announced twice")
    runs.sweep()
    runs.sweep("flush")
    runs.sweep("reconcile")
    tell("the sweeper built what was left into a last manifest")
    mine = {name: status for name, status in runs.all_ended().items() if name not in before}
    tell(f"{len(mine)} workflows ended, each with a run of real Spark: {dict(Counter(mine.values()))}")
    outcome = Outcome(
        sizes=runs.sizes(mine),
        ended=Counter(mine.values()),
        statuses=runs.statuses(prefix),
        rows=sorted(
            (row["file"], row["line"], row["text"]) for row in runs.rows() if row["_source_key"].startswith(prefix)
        ),
    )
    tell(f"{len(outcome.rows)} rows read back through the lake's pointers; files by state: {dict(outcome.statuses)}")
    return outcome


def _lines(number: int) -> list[dict[str, object]]:
    return [{"file": number, "line": line, "text": f"ü{number}"} for line in range(LINES)]


def _content(number: int) -> bytes:
    text = "".join(json.dumps(one) + "\n" for one in _lines(number))
    if number % BAD_EVERY == 0:
        text += "{not json\n"
    content = text.encode() + (b'{"text": "\xff"}\n' if number == NOT_UTF8 else b"")
    return gzip.compress(content, mtime=0) if number % GZIP_EVERY == 0 else content


def _key(prefix: str, number: int) -> str:
    suffix = ".ndjson.gz" if number % GZIP_EVERY == 0 else ".ndjson"
    if number == LONGEST:
        return f"{prefix}/{number:03}".ljust(KEY_BYTES - len(suffix), "k") + suffix
    return f"{prefix}/{number:03}{AWKWARD.get(number, '')}{suffix}"
