"""Tests of the clients of AWS services: when the functions create them, the version of botocore behind them, and the
lifetimes of the URLs and forms that they presign.
"""

import ast
import re

import botocore

from handlers.common.aws import PRESIGNED_SECONDS
from handlers.livestream.episodes.video_playback import PLAYBACK_SECONDS
from handlers.meetings.environment import RENEW_BEFORE_SECONDS
from handlers.transcription.audio_processor.stream import URL_SECONDS
from local import ROOT


def test_a_function_creates_its_clients_once_and_keeps_them_between_invocations() -> None:
    """A client keeps its connections open. So a function with a cache creates it, if necessary by a `create_…` function."""
    sources = [path.read_text() for path in (ROOT / "handlers").rglob("handler.py")]
    functions = [node for source in sources for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    creators = [node for node in functions if re.search(r"\.client\(|\bcreate_\w+\(", ast.unparse(node))]
    assert len(creators) > 15, "the search must find the places"
    uncached = {node.name for node in creators if "cache" not in map(ast.unparse, node.decorator_list)}
    assert not {name for name in uncached if not name.startswith("create_")}


def test_all_environments_use_the_layers_botocore() -> None:
    """The tests, the emulator, the media job and the type stubs must have the version that the functions run with."""
    locks = {path.name: path.read_text() for path in (ROOT / "requirements").glob("*.txt")}
    versions = {
        (package, version)
        for text in locks.values()
        for package, version in re.findall(r"^(boto3|botocore|types-boto3)==(\S+)", text, re.MULTILINE)
    }
    assert versions == {(package, botocore.__version__) for package in ("boto3", "botocore", "types-boto3")}
    assert all(
        "botocore==" in locks[name] for name in ("layer.txt", "tools.txt", "emulator.txt", "media.txt", "spark.txt")
    )


SHORTEST_ROLE_SESSION = 900
"""Shortest session of any role, in seconds (AWS STS API reference, AssumeRole, DurationSeconds)."""
LIFETIMES = {"PRESIGNED_SECONDS": PRESIGNED_SECONDS, "PLAYBACK_SECONDS": PLAYBACK_SECONDS}
"""Lifetimes that the handlers pass to S3's client. The requirements let voice Q&A's setting be longer."""
SETTING = "self.environment.url_seconds"


def test_no_url_or_form_is_valid_for_longer_than_the_shortest_session_of_a_role() -> None:
    """A presigned URL expires with the credentials that signed it, whatever the value of `ExpiresIn` is.

    The functions sign with the credentials of their execution roles, for which the AWS Lambda developer guide ("Session
    duration for temporary security credentials") states no duration.
    """
    source = "".join(path.read_text() for path in (ROOT / "handlers").rglob("*.py"))
    names = re.findall(r"ExpiresIn=([\w.]+)", source)
    assert set(names) == {*LIFETIMES, SETTING}
    assert len(names) == len(re.findall(r"\.generate_presigned_(?:url|post)\(", source)), "each call has a lifetime"
    assert names.count(SETTING) == 1
    assert max(*LIFETIMES.values(), URL_SECONDS) <= SHORTEST_ROLE_SESSION


def test_the_console_signs_the_url_of_a_recording_for_no_longer_than_its_credentials_last() -> None:
    """The console renews its credentials `RENEW_BEFORE_SECONDS` before they expire, so they last at least so long."""
    constant = re.search(
        r"^const MEDIA_URL_SECONDS = (\d+);", (ROOT / "console/lib/meetings-api.js").read_text(), re.MULTILINE
    )
    assert constant is not None
    assert int(constant[1]) <= RENEW_BEFORE_SECONDS
