"""Oracle for damaged gzip files: the content before the damage, found without the project's reader."""

import zlib


def unpack_readable(packed: bytes) -> tuple[bytes, bool]:
    """Return the content of the longest beginning of a gzip file in which zlib finds no damage, and True if it is all.

    Each beginning is unpacked at once, so the result is independent of how a reader divides its input.
    """
    readable, damaged = 0, len(packed) + 1
    while damaged - readable > 1:
        middle = (readable + damaged) // 2
        try:
            _unpack_members(packed[:middle])
            readable = middle
        except zlib.error:
            damaged = middle
    content, has_end = _unpack_members(packed[:readable])
    return content, has_end and readable == len(packed)


def _unpack_members(packed: bytes) -> tuple[bytes, bool]:
    """Return the content of all members, and True if the last one is complete."""
    content, has_end = b"", True
    while packed:
        member = zlib.decompressobj(31)  # the format gzip, with the largest window
        content += member.decompress(packed)
        packed, has_end = member.unused_data.lstrip(b"\0"), member.eof
    return content, has_end
