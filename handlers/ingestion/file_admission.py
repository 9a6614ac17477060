"""Rules that accept or reject a file without reading it."""

from dataclasses import dataclass
from enum import StrEnum

from handlers.ingestion.arrived_files import ArrivedFile


class FileRejection(StrEnum):
    """Reasons to reject a file without reading it. They are stored as the `reason` of its record."""

    EMPTY = "EMPTY"
    TOO_LARGE = "TOO_LARGE"
    SUFFIX_NOT_ALLOWED = "SUFFIX_NOT_ALLOWED"


@dataclass(frozen=True)
class AdmissionRules:
    suffixes: tuple[str, ...]
    """Allowed suffixes of keys, in lower case. An empty tuple allows all keys."""
    max_bytes: int
    """Maximum size of a file. Larger files are rejected."""

    @staticmethod
    def from_setting(suffixes: str, max_bytes: int) -> "AdmissionRules":
        """Return the rules for a comma-separated list of suffixes, in upper or lower case."""
        parts = (part.strip().lower() for part in suffixes.split(","))
        return AdmissionRules(tuple(part for part in parts if part), max_bytes)

    def find_rejection(self, file: ArrivedFile) -> FileRejection | None:
        """Return the reason to reject the file, or None if it is accepted."""
        if self.suffixes and not file.key.lower().endswith(self.suffixes):
            return FileRejection.SUFFIX_NOT_ALLOWED
        if file.size == 0:
            return FileRejection.EMPTY
        if file.size > self.max_bytes:
            return FileRejection.TOO_LARGE
        return None
