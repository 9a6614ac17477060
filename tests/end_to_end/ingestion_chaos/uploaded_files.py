"""Files that the chaos run uploads, a tenth of them damaged, and the result that ingestion must have for each of them.

The expected results are computed with Python's JSON module and with zlib, not with the code under test.
"""

import gzip
import json
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.readable_gzip import unpack_readable

LINES = 20
"""Number of lines in a file before it is damaged."""
DAMAGED_SHARE = 0.1
PACKED_SHARE = 0.4
"""Share of compressed files among the files that are not damaged."""
REPEATED_KEY_EVERY = 25
"""Every n-th file is a new version of the key of the file before it."""
NAME_ENDINGS = ("", " two words", "+%2B", "-\N{PARTY POPPER}", "new\nline", "\"quotes'", "/../dots")

Damage = Callable[[random.Random, bytes], bytes]


@dataclass(frozen=True)
class UploadedFile:
    key: str
    body: bytes
    damage: str = ""
    """Key of `PLAIN_DAMAGES` or `GZIP_DAMAGES`. Empty if the file is not damaged."""


@dataclass(frozen=True)
class ExpectedResult:
    status: str
    rows: dict[int, dict[str, Any]]
    """Records by line number."""
    rejected_rows: int


def generate_files(count: int, seed: int, prefix: str) -> list[UploadedFile]:
    """Return files in the order of their upload. The same seed gives the same files."""
    source = random.Random(seed)  # noqa: S311 - the same files for a seed
    files: list[UploadedFile] = []
    damages = [*PLAIN_DAMAGES.items(), *GZIP_DAMAGES.items()]
    damaged = set(source.sample(range(count), round(count * DAMAGED_SHARE)))
    for number in range(count):
        body = b"".join(_line(source, number, line) for line in range(LINES))
        damage_name, damage = damages[len(files) % len(damages)] if number in damaged else ("", None)
        is_packed = damage_name in GZIP_DAMAGES or (damage is None and source.random() < PACKED_SHARE)
        if is_packed:
            body = gzip.compress(body, mtime=0)
        if damage is not None:
            body = damage(source, body)
        ending = f"{NAME_ENDINGS[number % len(NAME_ENDINGS)]}.ndjson{'.gz' if is_packed else ''}"
        key = files[-1].key if files and number % REPEATED_KEY_EVERY == 0 else f"{prefix}{number:05}{ending}"
        files.append(UploadedFile(key, body, damage_name))
    return files


def expected_result(file: UploadedFile) -> ExpectedResult:
    if not file.body:
        return ExpectedResult("rejected", {}, 0)
    content, is_whole = unpack_readable(file.body) if file.body.startswith(b"\x1f\x8b") else (file.body, True)
    lines = content.split(b"\n")
    rejected = 0
    if not is_whole:  # the file can be unpacked only up to the damage, so the last line is incomplete
        lines.pop()
        rejected = 1
    rows: dict[int, dict[str, Any]] = {}
    for number, line in enumerate(lines, 1):
        try:
            if line.strip():
                rows[number] = _parse_record(line)
        except ValueError:
            rejected += 1
    return ExpectedResult("processed" if rows or not rejected else "rejected", rows, rejected)


def _line(source: random.Random, number: int, line: int) -> bytes:
    record = {"id": number * LINES + line, "text": f"ü {source.randrange(10**9)}", "value": source.random()}
    return json.dumps(record, ensure_ascii=bool(line % 2)).encode() + b"\n"


def _parse_record(line: bytes) -> dict[str, Any]:
    record = json.loads(
        line.decode(),
        object_pairs_hook=_reject_repeated_names,
        parse_float=_parse_finite_float,
        parse_constant=lambda _: _parse_finite_float("inf"),
    )
    if not isinstance(record, dict):
        raise ValueError("not an object")  # noqa: TRY004 - like the errors of the JSON module
    json.dumps(record, ensure_ascii=False).encode()  # fails for half a surrogate pair
    return record


def _reject_repeated_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a name occurs twice")
    return dict(pairs)


def _parse_finite_float(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError("a double cannot hold the number")
    return value


def _insert_line(line: bytes) -> Damage:
    def insert(source: random.Random, body: bytes) -> bytes:
        lines = body.splitlines(keepends=True)
        lines.insert(source.randrange(len(lines)), line + b"\n")
        return b"".join(lines)

    return insert


def _truncate(source: random.Random, body: bytes) -> bytes:
    return body[: source.randrange(20, len(body))]


def _flip_bit(source: random.Random, body: bytes) -> bytes:
    position = source.randrange(10, len(body))
    return body[:position] + bytes([body[position] ^ 1 << source.randrange(8)]) + body[position + 1 :]


def _erase_bytes(source: random.Random, body: bytes) -> bytes:
    position = source.randrange(10, len(body) - 64)
    return body[:position] + bytes(64) + body[position + 64 :]


PLAIN_DAMAGES: dict[str, Damage] = {
    "a line that is not JSON": _insert_line(b"{not json"),
    "a line that is not UTF-8": _insert_line(b'{"text": "\xff"}'),
    "a line that is not an object": _insert_line(b"[1, 2]"),
    "last line cut off": _truncate,
    "no line is JSON": lambda _, body: body.replace(b"{", b""),
    "empty": lambda _, __: b"",
}
GZIP_DAMAGES: dict[str, Damage] = {
    "gzip cut off": _truncate,
    "gzip with a flipped bit": _flip_bit,
    "gzip with erased bytes": _erase_bytes,
    "gzip with a wrong checksum": lambda _, body: body[:-8] + bytes([body[-8] ^ 1]) + body[-7:],
    "bytes after the gzip stream": lambda _, body: body + b"\0\0garbage",
    "second gzip member cut off": lambda source, body: body + _truncate(source, body),
}
