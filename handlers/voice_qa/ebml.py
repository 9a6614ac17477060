"""EBML as Matroska and WebM have it: elements with an id, a length, and other elements or a value in them. Strict.

Reads elements in place, none of them whole, and knows what ids mean in no file: that is for whoever reads one.
"""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from handlers.voice_qa.audio_files import BadFile, Problem
from handlers.voice_qa.ranged import RangedFile

LONGEST_ID, LONGEST_SIZE = 4, 8
MOST_TEXT = 64
FLOATS = {4: struct.Struct(">f"), 8: struct.Struct(">d")}


@dataclass(frozen=True)
class Element:
    """Where one element is."""

    id: int
    begin: int
    """Behind its head, where its content begins."""
    end: int
    """Behind its content; where it does not say its length, behind that of its parent."""
    endless: bool
    """It does not say its length: live recorders write clusters and segments so."""
    whole: bool
    """It ends where its parent ends, or before."""


def element(file: RangedFile, place: int, end: int) -> Element:
    """The element at a place; `end` is its parent's. Raises BadFile where none can be."""
    head = file.at(place, min(LONGEST_ID + LONGEST_SIZE, end - place))
    id_length = _length(head, 0, LONGEST_ID)
    size_length = _length(head, id_length, LONGEST_SIZE)
    number = int.from_bytes(head[id_length : id_length + size_length], "big")
    unknown = (1 << 7 * size_length) - 1
    size, begin = number & unknown, place + id_length + size_length
    identifier = int.from_bytes(head[:id_length], "big")
    if size == unknown:
        return Element(identifier, begin, end, endless=True, whole=True)
    return Element(identifier, begin, min(begin + size, end), endless=False, whole=begin + size <= end)


def children(file: RangedFile, parent: Element) -> Iterator[Element]:
    """The elements in one, in order; the last one may be cut off."""
    place = parent.begin
    while place < parent.end:
        one = element(file, place, parent.end)
        yield one
        place = one.end


def unsigned(file: RangedFile, one: Element) -> int:
    """A number."""
    return int.from_bytes(_value(file, one, LONGEST_SIZE), "big")


def floating(file: RangedFile, one: Element) -> float:
    """A number with a fraction; what is none, or not finite, is refused."""
    data = _value(file, one, LONGEST_SIZE)
    if len(data) not in FLOATS:
        raise BadFile(Problem.UNREADABLE)
    (number,) = FLOATS[len(data)].unpack(data)
    if not math.isfinite(number):
        raise BadFile(Problem.UNREADABLE)
    return float(number)


def text(file: RangedFile, one: Element) -> str:
    """A short name in ASCII."""
    return _value(file, one, MOST_TEXT).rstrip(b"\0").decode("ascii", "replace")


def _value(file: RangedFile, one: Element, most: int) -> bytes:
    if one.endless or not one.whole or one.end - one.begin > most:
        raise BadFile(Problem.UNREADABLE)
    return file.at(one.begin, one.end - one.begin)


def _length(head: bytes, place: int, most: int) -> int:
    """How many bytes an id or a size has that begins here: its first byte tells."""
    length = 9 - head[place].bit_length() if place < len(head) else most + 1
    if length > most or place + length > len(head):
        raise BadFile(Problem.UNREADABLE)
    return length
