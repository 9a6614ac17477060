"""Tests of the output and errors of `make demo`, which runs a flow through each backend.

A flow has scripted parts, such as a model that answers by fixed rules. The end-to-end tests cover the flows themselves.
"""

import io
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast
from unittest.mock import Mock

import pytest
from rich.console import Console

from components.core import Subsystem
from local import terminal_output
from local.flows import FlowSkipped, ResultNotInTime, Stack, StepReporter, demo
from local.flows.flow_registry import FLOWS, Flow

NO_STACK = cast("Stack", None)


def run_flow(play: Callable[[Any, StepReporter], list[str]]) -> str:
    """Run a flow with the name captions, and return the output."""
    # The brackets must not be interpreted as markup.
    flow = Flow("speech to captions", "the speech is [real]", "all words were recognised", play)
    out = io.StringIO()
    demo._run_flow(Console(file=out), "captions", flow, NO_STACK)
    return out.getvalue()


def test_every_subsystem_has_a_flow() -> None:
    assert set(FLOWS) == {subsystem.value for subsystem in Subsystem} - {Subsystem.FOUNDATION.value}


def test_a_flow_prints_its_scripted_parts_its_steps_and_its_result() -> None:
    def play(_stack: Stack, report_step: StepReporter) -> list[str]:
        report_step("sent a [word]")
        return []

    lines = run_flow(play).splitlines()
    assert lines[1] == "captions: speech to captions (the speech is [real])"
    assert lines[2].endswith("s  sent a [word]")
    assert lines[3] == "  all words were recognised"


def test_a_long_step_prints_lines_to_a_pipe_before_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    line_was_written = threading.Event()

    class Pipe(io.StringIO):
        def write(self, text: str) -> int:
            if "…" in text:
                line_was_written.set()
            return super().write(text)

    monkeypatch.setattr(terminal_output, "WAITING_REPORT_SECONDS", 0.001)
    with demo._print_step(Console(file=Pipe()), "preview"):
        assert line_was_written.wait(60)


def test_a_flow_with_problems_fails_the_demo_and_lists_them() -> None:
    with pytest.raises(demo.DemoFailed, match="the flow captions has problems: caption is 'a', not 'b'; other"):
        run_flow(lambda _stack, _report_step: ["caption is 'a', not 'b'", "other"])


def test_a_flow_that_cannot_use_the_stack_is_skipped_with_the_reason() -> None:
    assert "skipped, because guests may not" in run_flow(
        Mock(side_effect=FlowSkipped("guests may not upload lectures"))
    )


def test_the_end_of_the_emulator_during_a_flow_fails_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def play(_stack: Stack, _report_step: StepReporter) -> list[str]:
        (tmp_path / "emulator.json").touch()  # without its lock, as after the end of the emulator
        raise ResultNotInTime("a caption did not appear within 20 s")

    monkeypatch.setattr(demo, "FOLDER", tmp_path)
    with pytest.raises(demo.DemoFailed, match="the emulator ended during the flow captions"):
        run_flow(play)


def test_an_unknown_flow_is_refused_with_a_list_of_flows(capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.command("captions") == 2
    assert "ingestion, transcription, voice-qa, livestream, meetings" in capsys.readouterr().err
