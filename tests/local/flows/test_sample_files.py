"""Tests that the backends accept the files of `make samples`.

The end-to-end tests of the console use the samples with speech, so they show that the local platform understands them.
"""

import gzip
import json
from pathlib import Path

import pytest

from handlers.ingestion.environment import ALLOWED_SUFFIXES
from handlers.voice_qa.environment import LECTURE_MIN_SECONDS
from local.__main__ import main
from local.audio_formats import DEMUXERS, RATE, SAMPLE_BYTES, decode_file
from local.emulation.speech.languages import ENGLISH_ONLY
from local.flows import sample_files
from local.flows.livestream_flow import TRANSCRIPT
from local.flows.sample_files import SAMPLES, read_sample

pytestmark = [pytest.mark.media, pytest.mark.xdist_group("samples")]  # so that each sample is created only once


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples") / "new"
    assert [path.name for path in sample_files.write_samples(folder)] == list(SAMPLES)
    return folder


def count_seconds(path: Path) -> float:
    return len(decode_file(path, DEMUXERS)) / (RATE * SAMPLE_BYTES)


def test_the_lecture_is_long_enough_and_the_video_covers_its_transcript(samples: Path) -> None:
    assert count_seconds(samples / "lecture.ogg") > LECTURE_MIN_SECONDS
    transcript = (samples / "episode.srt").read_bytes()
    assert transcript == TRANSCRIPT
    assert b"--> 00:00:15" in transcript, "this is the end of its last line"
    assert count_seconds(samples / "episode.mp4") > 15


def test_every_line_of_the_record_files_is_a_record(samples: Path) -> None:
    names = [name for name, sample in SAMPLES.items() if sample.subsystem == "ingestion"]
    assert len(names) == 3
    for name in names:
        content = (samples / name).read_bytes()
        lines = (gzip.decompress(content) if name.endswith(".gz") else content).splitlines()
        assert name.endswith(ALLOWED_SUFFIXES)
        assert [set(json.loads(line)) for line in lines] == [{"file", "line", "text"}] * 3


def test_read_sample_returns_the_samples_and_no_other_file(samples: Path) -> None:
    assert all(read_sample(name) == (samples / name).read_bytes() for name in SAMPLES)
    assert read_sample("../README.md") is None


def test_make_samples_writes_the_files_and_prints_that_the_platform_understands_english_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["samples", "--folder", str(tmp_path)]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(SAMPLES)
    output = capsys.readouterr().out
    assert ENGLISH_ONLY in output
    assert all(name in output for name in SAMPLES)
