"""What may be uploaded: content types from a closed list, and the suffix that each gives an object's key. Pure."""

from enum import StrEnum


class ContentType(StrEnum):
    """What an upload says it is."""

    MP4 = "video/mp4"
    QUICKTIME = "video/quicktime"
    WEBM = "video/webm"
    MATROSKA = "video/x-matroska"
    SUBRIP = "application/x-subrip"
    VTT = "text/vtt"
    JSON = "application/json"
    TEXT = "text/plain"


VIDEO_SUFFIXES: dict[ContentType, str] = {
    ContentType.MP4: "mp4",
    ContentType.QUICKTIME: "mov",
    ContentType.WEBM: "webm",
    ContentType.MATROSKA: "mkv",
}
TRANSCRIPT_SUFFIXES: dict[ContentType, str] = {
    ContentType.SUBRIP: "srt",
    ContentType.VTT: "vtt",
    ContentType.JSON: "json",
    ContentType.TEXT: "txt",
}
