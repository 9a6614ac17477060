"""S3 notifications in SQS messages, as tests send them to the manifest builder and to other functions."""

import json
from typing import Any
from urllib.parse import quote_plus


def record(key: str = "incoming/a.ndjson", size: int = 3, **changes: Any) -> dict[str, Any]:
    """Return the record of a new object; `changes` replace fields of the record."""
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "eventTime": "2026-01-02T23:30:00.000Z",
        "s3": {
            "bucket": {"name": "landing"},
            "object": {"key": quote_plus(key), "size": size, "eTag": "e", "versionId": "v1"},
        },
        **changes,
    }


def body(*records: dict[str, Any]) -> str:
    """Return the body of an SQS message with these records."""
    return json.dumps({"Records": list(records)})
