"""Ingestion whole: 450 files, some announced twice, some with lines that nobody can read, as rows of the lake."""

import gzip
import json

import pytest

from local.flows.ingestion import Runs
from tests.end_to_end.conftest import Platform

pytestmark = [pytest.mark.e2e, pytest.mark.spark, pytest.mark.xdist_group("platform")]

PREFIX = "incoming/runs"
FILES = 450
BAD_EVERY = 50
GZIP_EVERY = 9
REPEATED_EVERY = 30


def lines(number: int) -> list[dict[str, object]]:
    return [{"file": number, "line": line, "text": f"ü{number}"} for line in range(3)]


def content(number: int) -> bytes:
    text = "".join(json.dumps(one) + "\n" for one in lines(number))
    if number % BAD_EVERY == 0:
        text += "{not json\n"
    return gzip.compress(text.encode(), mtime=0) if number % GZIP_EVERY == 0 else text.encode()


def key(number: int) -> str:
    return f"{PREFIX}/{number:03}{'.ndjson.gz' if number % GZIP_EVERY == 0 else '.ndjson'}"


def test_450_files_become_two_full_manifests_a_flushed_one_and_exactly_their_rows(
    runs: Runs, platform: Platform
) -> None:
    mark, before = platform.mark(), runs.executions()
    waiting = runs.statuses("")["pending"]  # other tests' files, which the last manifest takes along
    runs.drop_all({key(number): content(number) for number in range(FILES)})
    runs.drop_all({f"{PREFIX}/ignored.exe": b"x", f"{PREFIX}/empty.ndjson": b""})
    runs.all_tracked(PREFIX, FILES + 2)
    for number in range(0, FILES, REPEATED_EVERY):
        runs.intake.announce_again(runs.intake.tracked(key(number))[0])
    runs.intake.emptied()
    runs.sweep()
    runs.sweep("flush")
    runs.sweep("reconcile")
    mine = {name: status for name, status in runs.all_ended().items() if name not in before}
    assert set(mine.values()) == {"SUCCEEDED"}
    assert runs.sizes(mine) == [200, 200, 50 + waiting]
    assert runs.statuses(PREFIX) == {"processed": FILES, "rejected": 2}
    found = sorted(
        (row["file"], row["line"], row["text"]) for row in runs.rows() if row["_source_key"].startswith(PREFIX)
    )
    assert found == sorted((one["file"], one["line"], one["text"]) for n in range(FILES) for one in lines(n))
    assert platform.grants_against_use(mark).problems() == []
