"""Tests of the launcher's changes to the emulator: the private names, and the parts that need no emulator."""

import ast
import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from local import ROOT
from local.emulation import SUPPORTED_VERSION, PrivateNameMissing, get_private
from local.emulation.api_gateway.websocket_message_rules import (
    FAILED,
    FRAME_BYTES,
    MESSAGE_BYTES,
    FrameCount,
    RouteAnswer,
    parse_answer,
    refusal_message,
)
from local.platform.emulator import PYTHON

pytestmark = pytest.mark.unit

FIND = """
import json, pkgutil, sys
from importlib.metadata import version
missing = []
for name in json.load(sys.stdin):
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        missing.append(name)
print(json.dumps({"missing": missing, "version": version("ministack")}))
"""


def private_names() -> Iterator[str]:
    """Return every name that a module passes to `get_private` or `wrap_function`, in full."""
    for path in (ROOT / "local" / "emulation").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imported = {
            alias.asname or alias.name: f"{node.module}.{alias.name}"
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        for node in ast.walk(tree):
            match node:
                case ast.Call(
                    func=ast.Name(id="get_private" | "wrap_function"),
                    args=[ast.Name(id=owner), ast.Constant(value=str(name)), *_],
                ):
                    yield f"{imported[owner]}.{name}"


def test_every_private_name_is_there_in_the_version_that_is_pinned() -> None:
    names = sorted(set(private_names()))
    assert len(names) > 50
    run = subprocess.run(  # noqa: S603 - the emulator's own environment
        [str(PYTHON), "-P", "-c", FIND], input=json.dumps(names), capture_output=True, text=True, check=True
    )
    assert json.loads(run.stdout) == {"missing": [], "version": SUPPORTED_VERSION}
    lock = (ROOT / "requirements" / "emulator.txt").read_text(encoding="utf-8")
    assert f"ministack=={SUPPORTED_VERSION} " in lock


def test_a_missing_private_name_stops_the_launch_with_instructions() -> None:
    with pytest.raises(
        PrivateNameMissing, match=f"ministack has no ast.gone: .* ministack {SUPPORTED_VERSION}; pin that version"
    ):
        get_private(ast, "gone")


@pytest.mark.parametrize(
    ("returned", "answer"),
    [
        ({"statusCode": 200, "body": "x"}, RouteAnswer(200, "x")),
        ({"statusCode": 200, "body": None, "headers": None}, RouteAnswer(200)),
        ({"statusCode": 200, "headers": {"SEC-WebSocket-Protocol": "a"}}, RouteAnswer(200, subprotocol="a")),
        (None, FAILED),
        ({"statusCode": "200"}, FAILED),
        ({"statusCode": 101}, FAILED),
        ({"statusCode": 600}, FAILED),
        ({"statusCode": 200, "body": {"x": 1}}, FAILED),
    ],
)
def test_an_answer_is_an_object_with_a_status_and_a_text(returned: Any, answer: RouteAnswer) -> None:
    assert parse_answer({"body": returned}) == answer


@pytest.mark.parametrize("flaw", [{"error": True}, {"throttle": True}])
def test_a_failed_function_gives_a_failed_answer(flaw: dict[str, Any]) -> None:
    assert parse_answer({"body": {"statusCode": 200, "body": "x"}, **flaw}) == FAILED


def test_a_refusal_contains_only_the_text_of_its_status() -> None:
    assert (refusal_message(401), refusal_message(500)) == ("Unauthorized", "Internal server error")


def test_a_frame_may_have_32_kilobytes_and_a_message_128() -> None:
    count = FrameCount()
    for _ in range(MESSAGE_BYTES // FRAME_BYTES):
        assert count.fits(1, frame_ends=False)
        assert count.fits(FRAME_BYTES - 1, frame_ends=True)
    assert not count.fits(1, frame_ends=False)
    assert not FrameCount().fits(FRAME_BYTES + 1, frame_ends=True)
