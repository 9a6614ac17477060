"""Cuts a video with a real ffmpeg: segments of an exact length, each beginning with a key frame, and their playlist.

What it is given was sent by anybody. So it opens containers of videos only: others name further files, which would be
this machine's. Its process is bounded in time, has one thread for each step, and ends when it is told to.
"""

import os
import re
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import imageio_ffmpeg

from local.services.mediaconvert_rules import Audio, Cut, Video

CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,mpeg,flv,avi"
MAX_SECONDS = 1800
PICTURES, SOUND = "0:V:0", "0:a:0"
"""The first of each; a picture of an album's cover is none."""
STEM = "segment_"
SAFE = {"GCONV_PATH": os.devnull}
"""The wheel's ffmpeg is linked statically, and dies of the machine's own tables of character sets: it looks for them as
soon as it reads the name that a transport stream has. Without them, it leaves the name as it is."""
_ENTRY = re.compile(r"^#EXTINF:([0-9.]+)", re.MULTILINE)
_SIZE = re.compile(r"Stream #0:\d+.*Video: .*?, (\d{2,5})x(\d{2,5})")


class Unreadable(Exception):
    """It is no video, or breaks off where nothing can be made of it."""


class NoPictures(Exception):
    """There are no pictures where the job wants some."""


class Stopped(Exception):
    """Whoever serves has ended."""


@dataclass(frozen=True)
class Made:
    """What came of a cut."""

    playlist: str
    """Its text."""
    segments: Mapping[str, Path]
    """By the names that the playlist has for them."""
    duration_ms: int
    size: tuple[int, int] | None
    """Width and height of the pictures."""


@dataclass
class Cutter:
    """Cuts one thing at a time."""

    _process: "subprocess.Popen[bytes] | None" = None
    _stopped: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def stop(self) -> None:
        """Ends what runs, and begins nothing more."""
        with self._lock:
            self._stopped = True
            if self._process is not None:
                self._process.kill()

    def cut(self, source: Path, folder: Path, job: Cut) -> Made:
        """The segments of a file, in a folder of their own."""
        has_pictures = self._has_pictures(source)
        if job.video is not None and not has_pictures:
            raise NoPictures
        playlist = folder / "playlist.m3u8"
        command = [
            # The frame at a clip's end is part of it.
            *(("-t", f"{job.end_seconds}.001") if job.end_seconds is not None else ()),
            *("-i", str(source)),
            *(_pictures(job.video, job.seconds) if job.video is not None else ("-vn",)),
            *(_sound(job.audio) if job.audio is not None else ("-an",)),
            *("-f", "hls", "-hls_time", str(job.seconds), "-hls_list_size", "0", "-hls_playlist_type", "vod"),
            *("-start_number", "1", "-hls_segment_filename", str(folder / f"{STEM}%05d.ts"), str(playlist)),
        ]
        if self._run(command).returncode or not playlist.exists():
            raise Unreadable
        # On disk they have names of ours: a job's could mean something to ffmpeg, or to a file system.
        files = sorted(folder.glob(f"{STEM}*.ts"))
        text = playlist.read_text(encoding="utf-8")
        duration = round(sum(float(one) for one in _ENTRY.findall(text)) * 1000)
        named = f"{job.base}{job.modifier}_"
        return Made(
            "".join(
                f"{named}{line.removeprefix(STEM)}" if line.startswith(STEM) else line for line in text.splitlines(True)
            ),
            {named + one.name.removeprefix(STEM): one for one in files},
            duration,
            self._size(files[0]) if job.video is not None else None,
        )

    def _has_pictures(self, source: Path) -> bool:
        """Whether there are any. Decodes one of each, so that nothing passes for a video by its head alone."""
        one_of_each = ("-map", f"{PICTURES}?", "-map", f"{SOUND}?", "-frames:v", "1", "-frames:a", "1")
        done = self._run(["-i", str(source), *one_of_each, "-f", "null", "-"])
        if done.returncode:
            raise Unreadable
        return _size(done.stderr) is not None

    def _size(self, segment: Path) -> tuple[int, int] | None:
        return _size(self._run(["-i", str(segment), "-map", PICTURES, "-frames:v", "1", "-f", "null", "-"]).stderr)

    def _run(self, arguments: Sequence[str]) -> "subprocess.CompletedProcess[bytes]":
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-hide_banner", "-loglevel", "info", "-nostats", "-y"]
        command += ["-threads", "1", "-protocol_whitelist", "file", "-format_whitelist", CONTAINERS, *arguments]
        with self._lock:
            if self._stopped:
                raise Stopped
            process = self._process = subprocess.Popen(
                command,
                env={**os.environ, **SAFE},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
        with process:
            try:
                _, told = process.communicate(timeout=MAX_SECONDS)
            except subprocess.TimeoutExpired:
                raise Unreadable from None
            finally:
                process.kill()
                with self._lock:
                    self._process = None
        if self._stopped:
            raise Stopped
        return subprocess.CompletedProcess(command, process.returncode, b"", told)


def _size(told: bytes) -> tuple[int, int] | None:
    """Width and height of the pictures that ffmpeg has made, as it tells; none where there were none."""
    _, _, made = told.decode(errors="replace").partition("Output #0")
    found = _SIZE.search(made)
    return None if found is None else (int(found[1]), int(found[2]))


def _pictures(video: Video, seconds: int) -> list[str]:
    """As large as they may be, never larger than they are, and with a key frame where each segment begins."""
    width, height = video.width or "iw", video.height or "ih"
    scale = f"scale=w='min({width},iw)':h='min({height},ih)':force_original_aspect_ratio=decrease:force_divisible_by=2"
    rate = ("-maxrate", str(video.max_bitrate), "-bufsize", str(2 * video.max_bitrate)) if video.max_bitrate else ()
    return [
        *("-map", PICTURES, "-c:v", "libx264", "-preset", "ultrafast", "-crf", "30", "-pix_fmt", "yuv420p", *rate),
        *("-threads:v", "1", "-filter:v", scale),
        *("-force_key_frames", f"expr:gte(t,n_forced*{seconds})", "-sc_threshold", "0"),
    ]


def _sound(audio: Audio) -> list[str]:
    """Where there is none, there is none in the segments either."""
    made = ("-c:a", "aac", "-b:a", str(audio.bitrate), "-ar", str(audio.sample_rate), "-ac", str(audio.channels))
    return ["-map", f"{SOUND}?", *made]
