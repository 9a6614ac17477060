"""Sample files for users of the local platform, which `make samples` writes and the console offers.

The local Transcribe and the local voice Q&A agent recognise nothing in a real voice, but only tones that represent
words. The samples contain such tones, and the other data that the flows of `make demo` use.
"""

import tempfile
import wave
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Final

from local import ROOT
from local.emulation.speech.audio_encoding_and_recognition import encode_audio
from local.emulation.speech.tone_words import TONES_ONLY, speech
from local.flows import ingestion_flow, livestream_flow, meetings_flow, transcription_flow, voice_qa_flow
from local.flows.meetings_client import SAMPLE_RATE, write_recording

FOLDER = ROOT / "samples"
"""Folder in which `make samples` writes the files."""


@dataclass(frozen=True)
class SampleFile:
    subsystem: str
    """Backend that accepts the file."""
    description: str

    content_type: str
    make: Callable[[], bytes]


def read_sample(name: str) -> bytes | None:
    """Return the content of a sample file, or None if there is no sample with this name."""
    return _make_sample(name) if name in SAMPLES else None


def write_samples(folder: Path) -> list[Path]:
    """Write all sample files into a folder, which is created if necessary. Return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / name for name in SAMPLES]
    for path in paths:
        path.write_bytes(_make_sample(path.name))
    return paths


def command(folder: Path = FOLDER) -> int:
    """Write the sample files for `make samples`, and print a list of them. Return the exit status."""
    for path in write_samples(folder):
        print(f"  {path.name:20}  {SAMPLES[path.name].subsystem:13}  {SAMPLES[path.name].description}")
    print(f"wrote {len(SAMPLES)} files to {folder}; `make console` serves a page that uploads them\n{TONES_ONLY}")
    return 0


@cache
def _make_sample(name: str) -> bytes:
    return SAMPLES[name].make()


def _make_wav(words: str) -> bytes:
    content = BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(speech(words.split(), SAMPLE_RATE))
    return content.getvalue()


def _make_opus(words: str) -> bytes:
    return encode_audio(speech(words.split(), SAMPLE_RATE), SAMPLE_RATE, "ogg-opus")


def _make_video(*sentences: tuple[int, str]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return write_recording(Path(folder, "video.mp4"), sentences).read_bytes()


def _make_episode_video() -> bytes:
    """Return the video of an episode (one broadcast).

    The video lasts longer than the transcript, so that it can be played at the time of each claim in the transcript.
    Livestream does not recognise the sound, so any long text will do.
    """
    sentences = [*voice_qa_flow.LECTURE.split(" . "), transcription_flow.SENTENCE]
    return _make_video(*((meetings_flow.ANN, sentence) for sentence in sentences))


def _ndjson_sample(number: int) -> SampleFile:
    description = f"{ingestion_flow.LINES} records, one per line{', compressed' if _is_compressed(number) else ''}"
    return SampleFile(
        "ingestion",
        description,
        "application/gzip" if _is_compressed(number) else "application/x-ndjson",
        lambda: ingestion_flow.file_content(number),
    )


def _is_compressed(number: int) -> bool:
    return number % ingestion_flow.GZIP_EVERY == 0


NDJSON_SAMPLE_NUMBERS = (1, 2, ingestion_flow.GZIP_EVERY)
"""Ingestion's flow makes numbered files. The files with these numbers are samples. They have no unreadable lines,
because a sample may be the only file of a Spark run, and the run fails if too many lines are unreadable."""
SAMPLES: Final[Mapping[str, SampleFile]] = {
    **{
        f"records-{number}.ndjson{'.gz' if _is_compressed(number) else ''}": _ndjson_sample(number)
        for number in NDJSON_SAMPLE_NUMBERS
    },
    "sentence.wav": SampleFile(
        "transcription",
        f"a sentence in tones: “{transcription_flow.SENTENCE}”",
        "audio/wav",
        lambda: _make_wav(transcription_flow.SENTENCE),
    ),
    "lecture.ogg": SampleFile("voice-qa", "a lecture in tones", "audio/ogg", lambda: _make_opus(voice_qa_flow.LECTURE)),
    "question.ogg": SampleFile(
        "voice-qa",
        f"a question in tones about the lecture: “{next(iter(voice_qa_flow.QUESTIONS))}”",
        "audio/ogg",
        lambda: _make_opus(next(iter(voice_qa_flow.QUESTIONS))),
    ),
    "episode.srt": SampleFile(
        "livestream",
        "the transcript of an episode, with two claims",
        "application/x-subrip",
        lambda: livestream_flow.TRANSCRIPT,
    ),
    "episode.mp4": SampleFile(
        "livestream", "the video of the episode: a test picture", "video/mp4", _make_episode_video
    ),
    "recording.mp4": SampleFile(
        "meetings",
        "a meeting of two voices in tones, with an action item",
        "video/mp4",
        lambda: _make_video(*(sentence for chunk in meetings_flow.CHUNKS for sentence in chunk)),
    ),
}
