"""The five flows as the demo shows them: what each is, what in it is scripted, and what must have come of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local.aws import EmulatorClients
from local.emulator import Emulator
from local.flows import (
    Tell,
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
from local.values import Props

FILES = 230
"""One full manifest and a flushed one."""


@dataclass(frozen=True)
class Stage:
    """A platform that is up."""

    there: Emulator
    clients: EmulatorClients
    ids: dict[str, Any]
    outputs: Props


@dataclass(frozen=True)
class Flow:
    """One flow."""

    title: str
    scripted: str
    promise: str
    """What holds when it went well."""
    play: Callable[[Stage, Tell], str]
    """Plays it and says what is not as it should be."""


def _ingestion(stage: Stage, tell: Tell) -> str:
    runs = Runs.of(Intake.of(stage.clients, stage.ids), stage.there.endpoint, stage.ids)
    outcome = ingestion_scenario.play(runs, "incoming/demo", FILES, tell)
    if outcome.sizes != [200, FILES - 200] or outcome.rows != ingestion_scenario.expected(FILES):
        return f"{FILES} files became manifests of {outcome.sizes} and {len(outcome.rows)} rows"
    return ""


def _transcription(stage: Stage, tell: Tell) -> str:
    outcome = transcription_scenario.play(Captioning.of(stage.clients, stage.ids, stage.outputs), tell)
    return _differs(outcome, transcription_scenario.EXPECTED) or ("" if outcome.growing else "no caption grew")


def _voice_qa(stage: Stage, tell: Tell) -> str:
    lectures = Lectures.of(stage.clients, stage.there.endpoint, stage.ids, stage.outputs)
    outcome = voice_qa_scenario.play(lectures, tell)
    return _differs(outcome, voice_qa_scenario.EXPECTED) or ("" if all(outcome.spoken) else "an answer has no sound")


def _livestream(stage: Stage, tell: Tell) -> str:
    outcome = livestream_scenario.play(Livestream.of(stage.clients, stage.ids, stage.outputs), tell)
    return _differs(outcome, vars(livestream_scenario.EXPECTED))


def _meetings(stage: Stage, tell: Tell) -> str:
    outcome = meetings_scenario.play(Meetings.of(stage.clients, stage.there, stage.ids, stage.outputs), tell)
    return _differs(outcome, vars(meetings_scenario.EXPECTED))


def _differs(outcome: object, expected: dict[str, Any]) -> str:
    return "; ".join(
        f"{name} is {found!r}, not {wanted!r}"
        for name, wanted in expected.items()
        if (found := getattr(outcome, name)) != wanted
    )


FLOWS = {
    "ingestion": Flow(
        "files to rows", "nothing is scripted", "every row of every file is there once, and nothing else", _ingestion
    ),
    "transcription": Flow(
        "speech to captions",
        "the words are tones, which the local Transcribe hears",
        "every sentence is on the screen once, and in order",
        _transcription,
    ),
    "voice-qa": Flow(
        "a lecture, a question, an answer",
        "the local agent listens to both, and quotes",
        "every piece came once, in order, and quotes what the lecture says",
        _voice_qa,
    ),
    "livestream": Flow(
        "episodes over HTTP, a video cut, a transcript checked",
        "real ffmpeg; the model is scripted",
        "every answer is what the API's document says",
        _livestream,
    ),
    "meetings": Flow(
        "a recording put together, transcribed, summarised",
        "real ffmpeg; words are tones, the model is scripted",
        "what was said is read by whoever recorded it, and by nobody else",
        _meetings,
    ),
}
