"""Rules that accept or reject a file: its suffix and its size."""

import pytest

from handlers.ingestion.environment_bases import ALLOWED_SUFFIXES
from handlers.ingestion.file_admission import AdmissionRules, FileRejection
from tests.handlers.ingestion.test_arrived_files import arrived_file

LIMIT = 5 * 1024**3


def test_only_listed_suffixes_are_accepted_in_upper_or_lower_case() -> None:
    listed_only, all_suffixes = (AdmissionRules.from_setting(setting, LIMIT) for setting in (ALLOWED_SUFFIXES, " , "))
    for name in ("a.ndjson", "a.NDJSON", "a.json.gz", "a.b.JsonL", "ü 日.ndjson.GZ", ".jsonl"):
        assert listed_only.find_rejection(arrived_file(f"incoming/{name}")) is None
    for name in ("a", "a.csv", "a.ndjson.zip", "ndjson", "a.ndjson/"):
        assert listed_only.find_rejection(arrived_file(f"incoming/{name}")) is FileRejection.SUFFIX_NOT_ALLOWED
        assert all_suffixes.find_rejection(arrived_file(name)) is None, "an empty list allows all suffixes"


@pytest.mark.parametrize(
    ("size", "rejection"), [(0, FileRejection.EMPTY), (1, None), (LIMIT, None), (LIMIT + 1, FileRejection.TOO_LARGE)]
)
def test_a_file_has_at_least_one_byte_and_at_most_the_limit(size: int, rejection: FileRejection | None) -> None:
    assert AdmissionRules.from_setting("", LIMIT).find_rejection(arrived_file("a", size)) is rejection
