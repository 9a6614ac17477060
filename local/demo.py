"""`make demo`: preview, platform up, every flow that there is, grants against use, outputs, cost, and down again.

In a folder and on a port of its own, so that a platform that is up stays as it is. The exit status says whether all
of it is as it should be.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from local import ROOT, emulator, report, stack_files
from local.aws import EmulatorClients
from local.emulator import Emulator, EmulatorError
from local.engine import ResourceFailed
from local.flows import (
    NotInTime,
    ingestion_scenario,
    livestream_scenario,
    meetings_scenario,
    transcription_scenario,
    voice_qa_scenario,
)
from local.flows.ingestion import Intake, Runs
from local.flows.livestream import Livestream
from local.flows.meetings import Meetings
from local.flows.transcription import Captioning
from local.flows.voice_qa import Lectures
from local.iam.decisions import read
from local.iam.table import granted_on, reviewed_grants, table
from local.platform import Deployed, deploy, judged_again
from local.preview import CannotPreview, preview
from local.progress import Silent
from local.stack_files import StackConfig
from local.terminal import terminal

FOLDER = ROOT / ".local" / "demo"
PREFIX = "polyphony-local-"
FILES = 230
"""One full manifest and a flushed one."""


class DemoFailed(Exception):
    """Something is not as it should be; the message says what."""


def command() -> int:
    """Runs the demo."""
    out = terminal()
    start = time.monotonic()
    try:
        _all(out, stack_files.read("local"))
    except (DemoFailed, CannotPreview, EmulatorError, ResourceFailed, NotInTime) as error:
        print(f"the demo failed: {error}", file=sys.stderr)
        return 1
    out.print(f"\n[green]all of it worked[/], in {time.monotonic() - start:.0f} s; nothing is left running")
    return 0


def _all(out: Console, config: StackConfig) -> None:
    with _part(out, "preview"):
        found = preview(config)
        out.print(f"  {len(found.graph.customs())} resources, {len(found.rules)} policies asked")
        out.print(f"  {len(found.mandatory)} mandatory findings; about ${found.cost.total:,.2f} a month")
        if not found.deployable:
            raise DemoFailed("the preview found what must be mended first: `make preview STACK=local`")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with emulator.start(FOLDER) as started:
        with _part(out, "up, with IAM enforced"):
            deployed = deploy(config, started.emulator, Silent())
            out.print(f"  {len(deployed.graph.customs())} resources at {started.emulator.endpoint}")
            if left := [one for one in judged_again(config, deployed.graph) if one.level == "mandatory"]:
                raise DemoFailed(f"{left[0].policy}: {left[0].message}")
        clients = EmulatorClients(started.emulator.endpoint)
        with _part(out, "ingestion: files to rows (nothing is scripted)"):
            _ingestion(out, deployed, clients, started.emulator.endpoint)
        with _part(out, "transcription: speech to captions (the words are tones, which the local Transcribe hears)"):
            _transcription(out, deployed, clients)
        with _part(out, "voice Q&A: a lecture, a question, an answer (the local agent listens to both)"):
            _voice_qa(out, deployed, clients, started.emulator.endpoint)
        with _part(
            out,
            "livestream: episodes over HTTP, a video cut, a transcript checked (real ffmpeg; the model is scripted)",
        ):
            _livestream(out, deployed, clients)
        with _part(
            out,
            "meetings: a recording put together, transcribed, summarised (real ffmpeg; words are tones, the model is scripted)",
        ):
            _meetings(out, deployed, clients, started.emulator)
        with _part(out, "grants against use"):
            _grants(out, clients, FOLDER)
        out.print("\n[bold]outputs[/]")
        report.values(out, deployed.outputs)


def _ingestion(out: Console, deployed: Deployed, clients: EmulatorClients, endpoint: str) -> None:
    runs = Runs.of(Intake.of(clients, deployed.ids), endpoint, deployed.ids)
    outcome = ingestion_scenario.play(runs, "incoming/demo", FILES, Clock(out))
    if outcome.sizes != [200, FILES - 200] or outcome.rows != ingestion_scenario.expected(FILES):
        raise DemoFailed(f"{FILES} files became manifests of {outcome.sizes} and {len(outcome.rows)} rows")
    out.print("  every row of every file is there once, and nothing else")


def _transcription(out: Console, deployed: Deployed, clients: EmulatorClients) -> None:
    outcome = transcription_scenario.play(Captioning.of(clients, deployed.ids, deployed.outputs), Clock(out))
    wrong = {name for name, value in transcription_scenario.EXPECTED.items() if getattr(outcome, name) != value}
    if wrong or not outcome.growing:
        raise DemoFailed(f"the captions are not what was said: {outcome}")
    out.print("  every sentence is on the screen once, and in order")


def _voice_qa(out: Console, deployed: Deployed, clients: EmulatorClients, endpoint: str) -> None:
    lectures = Lectures.of(clients, endpoint, deployed.ids, deployed.outputs)
    outcome = voice_qa_scenario.play(lectures, Clock(out))
    wrong = {name for name, value in voice_qa_scenario.EXPECTED.items() if getattr(outcome, name) != value}
    if wrong or not all(outcome.spoken):
        raise DemoFailed(f"the answers are not what was asked for: {outcome}")
    out.print("  every piece came once, in order, and quotes what the lecture says")


def _livestream(out: Console, deployed: Deployed, clients: EmulatorClients) -> None:
    livestream = Livestream.of(clients, deployed.ids, deployed.outputs)
    outcome = livestream_scenario.play(livestream, Clock(out))
    if outcome != livestream_scenario.EXPECTED:
        raise DemoFailed(f"the episodes are not what was asked for: {outcome}")
    out.print("  every answer is what the API's document says")


def _meetings(out: Console, deployed: Deployed, clients: EmulatorClients, there: Emulator) -> None:
    meetings = Meetings.of(clients, there, deployed.ids, deployed.outputs)
    outcome = meetings_scenario.play(meetings, Clock(out))
    if outcome != meetings_scenario.EXPECTED:
        raise DemoFailed(f"the meeting is not what was recorded: {outcome}")
    out.print("  what was said is read by whoever recorded it, and by nobody else")


def _grants(out: Console, clients: EmulatorClients, folder: Path) -> None:
    decisions = read(folder / "decisions.jsonl", 0)
    found = table(granted_on(clients("iam"), PREFIX), decisions, reviewed_grants(), PREFIX)
    out.print(f"  {len(decisions)} decisions; {len(found.used)} grants used, {len(found.reviewed)} kept for a reason")
    if problems := found.problems():
        raise DemoFailed(problems[0])
    out.print("  none is missing, none is granted for nothing")


@contextmanager
def _part(out: Console, what: str) -> Iterator[None]:
    out.print(f"\n[bold]{what}[/]")
    start = time.monotonic()
    yield
    out.print(f"  [dim]{time.monotonic() - start:.1f} s[/]")


class Clock:
    """Prints each step with the time that it took."""

    def __init__(self, out: Console) -> None:
        self._out = out
        self._last = time.monotonic()

    def __call__(self, what: str) -> None:
        now = time.monotonic()
        self._out.print(f"  {now - self._last:5.1f} s  {what}", soft_wrap=True)
        self._last = now
