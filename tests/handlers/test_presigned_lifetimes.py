"""Tests of the presigned URLs and forms that the handlers create: how long they are valid, and how much they accept.

A presigned URL expires with the credentials that signed it, whatever the value of `ExpiresIn` is (Amazon S3 user guide,
"Download and upload objects with presigned URLs"). The functions sign with the credentials of their execution roles,
for which the AWS Lambda developer guide ("Session duration for temporary security credentials") states no duration.
"""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import annotated_types

from handlers.meetings.environment import AuthEnvironment
from handlers.transcription.audio_processor import stream
from local import ROOT
from operations.flag import find_environment_model

SHORTEST_ROLE_SESSION = 900
"""Shortest session of any role, in seconds (AWS STS API reference, AssumeRole, DurationSeconds)."""
REQUIRED_SECONDS = {
    # Files whose URLs must be valid for longer, and the reason. One hour is the default duration of a role session.
    "handlers/voice_qa/websocket_handler/handler.py": 3600,  # requirement of voice Q&A, integration test 2
}
PRESIGNING_METHODS = {"generate_presigned_url", "generate_presigned_post"}


def presigning_calls(source: ast.AST) -> Iterator[ast.Call]:
    """Yield the calls that presign an S3 URL or form."""
    for node in ast.walk(source):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in PRESIGNING_METHODS:
            yield node


def max_lifetime(call: ast.Call, module: str) -> int:
    """Return the largest lifetime that a call in a module can pass.

    The lifetime is a constant of the module, or an environment variable of the Lambda function. The function's folder
    contains the module. The model of the environment variables has an upper bound.
    """
    lifetimes = [keyword.value for keyword in call.keywords if keyword.arg == "ExpiresIn"]
    match lifetimes:
        case [ast.Name(id=name)]:
            return int(getattr(importlib.import_module(module), name))
        case [ast.Attribute(attr=name)]:
            model = find_environment_model(module.rpartition(".")[0].removeprefix("handlers."))
            metadata = model.model_fields[name.removeprefix("_")].metadata
            [bound] = [item.le for item in metadata if isinstance(item, annotated_types.Le)]
            return int(str(bound))
    raise AssertionError(f"{module}:{call.lineno} has no named lifetime: pass a constant as ExpiresIn")


def handler_lifetimes() -> dict[str, set[int]]:
    """Return the largest lifetimes of the handlers' presigned URLs and forms, by file."""
    lifetimes: dict[str, set[int]] = {}
    for path in sorted((ROOT / "handlers").rglob("*.py")):
        file = path.relative_to(ROOT)
        for call in presigning_calls(ast.parse(path.read_text())):
            lifetimes.setdefault(str(file), set()).add(max_lifetime(call, ".".join(file.with_suffix("").parts)))
    return lifetimes


def test_no_url_or_form_is_valid_for_longer_than_the_shortest_session_of_a_role() -> None:
    lifetimes = handler_lifetimes()
    assert len(lifetimes) == 5, "the search must find every file that presigns"
    too_long = {
        file: seconds
        for file, seconds in lifetimes.items()
        if max(seconds) > REQUIRED_SECONDS.get(file, SHORTEST_ROLE_SESSION)
    }
    assert not too_long


def test_no_stream_url_is_valid_for_longer_than_the_shortest_session_of_a_role() -> None:
    """Only one module signs URLs for streams itself. All have the same lifetime."""
    files = [path.name for path in (ROOT / "handlers").rglob("*.py") if "SigV4QueryAuth" in path.read_text()]
    assert files == [Path(stream.__file__).name]
    assert stream.URL_SECONDS <= SHORTEST_ROLE_SESSION


def test_the_console_signs_the_url_of_a_recording_for_no_longer_than_its_credentials_last() -> None:
    """The console renews its credentials `renew_before_seconds` before they expire, so they last at least so long."""
    constant = re.search(
        r"^const MEDIA_URL_SECONDS = (\d+);", (ROOT / "console/lib/meetings-api.js").read_text(), re.MULTILINE
    )
    assert constant is not None
    assert int(constant[1]) <= AuthEnvironment.model_fields["renew_before_seconds"].default


def has_size_limit(call: ast.Call) -> bool:
    """Return True if S3 checks the size of the upload that a call presigns, or if the call presigns a download."""
    arguments = ast.unparse(call)
    if isinstance(call.func, ast.Attribute) and call.func.attr == "generate_presigned_post":
        return "'content-length-range'" in arguments
    return isinstance(call.args[0], ast.Constant) and (
        call.args[0].value == "get_object" or "'ContentLength': " in arguments
    )


def test_s3_checks_the_size_of_every_presigned_upload() -> None:
    """A form has the condition `content-length-range`, and the signature of a URL covers the header Content-Length."""
    calls = [
        (path.relative_to(ROOT), call)
        for path in sorted((ROOT / "handlers").rglob("*.py"))
        for call in presigning_calls(ast.parse(path.read_text()))
    ]
    assert len(calls) == 6, "the search must find every call"
    assert [f"{path}:{call.lineno}" for path, call in calls if not has_size_limit(call)] == []
