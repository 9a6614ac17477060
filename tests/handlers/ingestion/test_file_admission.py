"""Rules that accept or reject a file: its suffix and its size."""

import pytest

from handlers.ingestion.environment_bases import ALLOWED_SUFFIXES
from handlers.ingestion.file_admission import AdmissionRules, FileRejection
from tests.handlers.ingestion.test_arrived_files import arrived_file

LIMIT = 5 * 1024**3


def test_suffixes_are_compared_without_case_and_others_are_rejected() -> None:
    allowed, unlimited = AdmissionRules.from_setting(ALLOWED_SUFFIXES, LIMIT), AdmissionRules.from_setting(" , ", LIMIT)
    for name in ("a.ndjson", "a.NDJSON", "a.json.gz", "a.b.JsonL", "ü 日.ndjson.GZ", ".jsonl"):
        assert allowed.find_rejection(arrived_file(f"incoming/{name}")) is None
    for name in ("a", "a.csv", "a.ndjson.zip", "ndjson", "a.ndjson/"):
        assert allowed.find_rejection(arrived_file(f"incoming/{name}")) is FileRejection.SUFFIX_NOT_ALLOWED
        assert unlimited.find_rejection(arrived_file(name)) is None, "an empty list allows all suffixes"


@pytest.mark.parametrize(
    ("size", "rejection"), [(0, FileRejection.EMPTY), (1, None), (LIMIT, None), (LIMIT + 1, FileRejection.TOO_LARGE)]
)
def test_a_file_has_at_least_one_byte_and_at_most_the_limit(size: int, rejection: FileRejection | None) -> None:
    assert AdmissionRules.from_setting("", LIMIT).find_rejection(arrived_file("a", size)) is rejection
