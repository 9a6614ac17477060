"""Which files are taken in at all, told by what S3 announces of them. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from handlers.ingestion.files import ArrivedFile


class Refusal(StrEnum):
    """Why a file is rejected before anybody reads it."""

    EMPTY = "EMPTY"
    TOO_LARGE = "TOO_LARGE"
    SUFFIX_NOT_ALLOWED = "SUFFIX_NOT_ALLOWED"


@dataclass(frozen=True)
class Admission:
    """The rules for one landing bucket."""

    suffixes: tuple[str, ...]
    """Endings in lower case; none allows all."""
    most_bytes: int

    @staticmethod
    def of(suffixes: str, most_bytes: int) -> "Admission":
        """From the environment: endings separated by commas, in any case."""
        return Admission(tuple(one.strip().lower() for one in suffixes.split(",") if one.strip()), most_bytes)

    def refusal(self, file: ArrivedFile) -> Refusal | None:
        """Why the file is rejected; none where it is taken in."""
        if self.suffixes and not file.key.lower().endswith(self.suffixes):
            return Refusal.SUFFIX_NOT_ALLOWED
        if file.size == 0:
            return Refusal.EMPTY
        if file.size > self.most_bytes:
            return Refusal.TOO_LARGE
        return None
