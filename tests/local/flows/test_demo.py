"""What the demo says and how it ends; the flows themselves are the end-to-end tests'."""

import io
from collections.abc import Callable
from typing import Any, cast

import pytest
from rich.console import Console

from components.blocks.naming.context import Subsystem
from local.__main__ import main
from local.flows import Deployment, Tell, demo
from local.flows.flow_table import FLOWS, Flow
from local.preview import stack_files
from local.preview.stack_files import StackFileError

NOWHERE = cast("Deployment", None)


def shown(flow: Flow) -> str:
    out = io.StringIO()
    demo._flow(Console(file=out), "captions", flow, NOWHERE)
    return out.getvalue()


def flow(play: Callable[[Any, Tell], list[str]]) -> Flow:
    return Flow("speech to captions", "the words are [tones]", "all was heard", play)


def test_there_is_a_flow_for_every_subsystem() -> None:
    assert set(FLOWS) == {one.value for one in Subsystem} - {Subsystem.FOUNDATION.value}


def test_a_flow_shows_what_is_scripted_each_step_and_what_holds() -> None:
    def play(_deployment: Deployment, tell: Tell) -> list[str]:
        tell("a word [said]")
        return []

    lines = shown(flow(play)).splitlines()
    assert lines[1] == "captions: speech to captions (the words are [tones])"
    assert lines[2].endswith("s  a word [said]")
    assert lines[3] == "  all was heard"


def test_a_flow_that_went_wrong_fails_the_demo_with_all_that_is_wrong() -> None:
    with pytest.raises(demo.DemoFailed, match="captions is not as it should be: said is 'a', not 'b'; more"):
        shown(flow(lambda _stage, _tell: ["said is 'a', not 'b'", "more"]))


def test_an_unknown_flow_is_refused_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.command("captions") == 2
    assert "ingestion, transcription, voice-qa, livestream, meetings" in capsys.readouterr().err


def test_a_stack_file_that_cannot_be_read_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unreadable(_stack: str) -> None:
        raise StackFileError("Pulumi.local.yaml is not valid YAML: line 3")

    monkeypatch.setattr(stack_files, "read", unreadable)
    assert main(["demo"]) == 2
    assert capsys.readouterr().err == "Pulumi.local.yaml is not valid YAML: line 3\n"
