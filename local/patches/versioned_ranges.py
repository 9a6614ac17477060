"""Part of one version of an object, as S3 gives it. The emulator takes no notice of a range where a version is named."""

from typing import Any

from ministack.services import s3

from local.patches import reached

Answer = tuple[int, dict[str, str], Any]


def install() -> None:
    """Replaces `s3._get_object`."""
    get = reached(s3, "_get_object")
    parse = reached(s3, "_parse_range")

    def get_part(bucket: str, key: str, headers: dict[str, str], query: Any = None) -> Answer:
        answer: Answer = get(bucket, key, headers, query)
        status, found, body = answer
        asked = headers.get("range", "")
        if status != 200 or not asked or "versionId" not in (query or {}) or not isinstance(body, bytes):
            return answer
        part = parse(asked, len(body))
        if part is None:
            return answer
        start, end = part
        told = {"Content-Range": f"bytes {start}-{end}/{len(body)}", "Content-Length": str(end - start + 1)}
        return 206, {**found, **told}, body[start : end + 1]

    s3._get_object = get_part  # noqa: SLF001
