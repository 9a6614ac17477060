"""Sample files for users of the local platform, which `make samples` writes and the console offers.

The samples contain the speech and the other data that the flows of `make demo` use. You can use your own recordings as
well.
"""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from local import ROOT
from local.emulation.speech.languages import ENGLISH_ONLY
from local.flows import ingestion_flow, livestream_flow, meetings_flow, voice_qa_flow
from local.flows.meetings_client import write_recording
from local.flows.speech_clips import CLIPS, clip_texts, encode_clips

FOLDER = ROOT / "samples"
"""Folder in which `make samples` writes the files."""


@dataclass(frozen=True)
class SampleFile:
    """Sample file that is made on request."""

    subsystem: str
    """Subsystem whose backend accepts the file."""
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
    print(f"wrote {len(SAMPLES)} files to {folder}; `make console` serves a page that uploads them\n{ENGLISH_ONLY}")
    return 0


@cache
def _make_sample(name: str) -> bytes:
    """Make a sample only once, because the console can request it again and again."""
    return SAMPLES[name].make()


def _make_video(*clips: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return write_recording(Path(folder, "video.mp4"), *clips).read_bytes()


def _ndjson_sample(number: int) -> SampleFile:
    is_compressed = ingestion_flow.file_suffix(number).endswith(".gz")
    description = f"{ingestion_flow.LINES} records, one per line{', compressed' if is_compressed else ''}"
    content_type = "application/gzip" if is_compressed else "application/x-ndjson"
    return SampleFile("ingestion", description, content_type, lambda: ingestion_flow.file_content(number))


SPEECH = ("hello", "speaking", "final")
"""Clips of the sample of transcription."""
QUESTION = voice_qa_flow.QUESTIONS[0]
EPISODE = ("bridge", "longest", "river", "boiling", "rain", "wall")
"""Clips of the episode's video. They last longer than its transcript, so that the video can be played at each claim."""
NDJSON_SAMPLE_NUMBERS = (1, 2, ingestion_flow.GZIP_EVERY)
"""Ingestion's flow makes numbered files. The files with these numbers are samples. They have no unreadable lines,
because a sample may be the only file of a Spark run, and the run fails if too many lines are unreadable."""
SAMPLES: Final[Mapping[str, SampleFile]] = {
    **{
        f"records-{number}{ingestion_flow.file_suffix(number)}": _ndjson_sample(number)
        for number in NDJSON_SAMPLE_NUMBERS
    },
    "sentence.wav": SampleFile(
        "transcription", f"speech: “{' '.join(clip_texts(*SPEECH))}”", "audio/wav", lambda: encode_clips("wav", *SPEECH)
    ),
    "lecture.ogg": SampleFile(
        "voice-qa", "a lecture about plants", "audio/ogg", lambda: encode_clips("ogg-opus", *voice_qa_flow.LECTURE)
    ),
    "question.ogg": SampleFile(
        "voice-qa",
        f"a question about the lecture: “{CLIPS[QUESTION].text}”",
        "audio/ogg",
        lambda: encode_clips("ogg-opus", QUESTION),
    ),
    "episode.srt": SampleFile(
        "livestream",
        "the transcript of an episode, with two claims",
        "application/x-subrip",
        lambda: livestream_flow.TRANSCRIPT,
    ),
    "episode.mp4": SampleFile(
        "livestream", "the video of the episode: a test picture", "video/mp4", lambda: _make_video(*EPISODE)
    ),
    "recording.mp4": SampleFile(
        "meetings",
        "a meeting of two speakers, with two action items",
        "video/mp4",
        lambda: _make_video(*(name for chunk in meetings_flow.CHUNKS for name in chunk)),
    ),
}
