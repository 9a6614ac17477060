"""Which files are taken in, told by what S3 announces."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.ingestion.admission import Admission, Refusal
from handlers.ingestion.environment import SUFFIXES
from handlers.ingestion.files import ArrivedFile

LIMIT = 5 * 1024**3


def file(key: str, size: int = 1) -> ArrivedFile:
    return ArrivedFile(
        bucket="landing", key=key, version_id="v1", size=size, etag="e", arrived=datetime(2026, 1, 2, tzinfo=UTC)
    )


@pytest.mark.parametrize("name", ["a.ndjson", "a.NDJSON", "a.json.gz", "a.b.JsonL", "ü 日.ndjson.GZ", ".jsonl"])
def test_allowed_suffixes_count_in_any_case(name: str) -> None:
    assert Admission.of(SUFFIXES, LIMIT).refusal(file(f"incoming/{name}")) is None


@pytest.mark.parametrize("name", ["a", "a.csv", "a.ndjson.zip", "ndjson", "a.ndjson/"])
def test_other_suffixes_are_refused(name: str) -> None:
    assert Admission.of(SUFFIXES, LIMIT).refusal(file(f"incoming/{name}")) is Refusal.SUFFIX_NOT_ALLOWED


@given(st.text(max_size=50))
def test_no_suffixes_allow_all(key: str) -> None:
    assert Admission.of(" , ", LIMIT).refusal(file(key)) is None


@pytest.mark.parametrize(("size", "refusal"), [(0, Refusal.EMPTY), (1, None), (LIMIT, None), (LIMIT + 1, "TOO_LARGE")])
def test_a_file_has_at_least_one_byte_and_at_most_the_limit(size: int, refusal: str | None) -> None:
    assert Admission.of("", LIMIT).refusal(file("a", size)) == refusal
