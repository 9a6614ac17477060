"""Sample videos, made with ffmpeg from noise and a tone."""

import tempfile
from pathlib import Path

from local.ffmpeg import run_ffmpeg


def film(seconds: int) -> bytes:
    """Return an MP4 video. Each second has several megabytes, because noise cannot be compressed."""
    video_source = f"testsrc2=duration={seconds}:size=1280x720:rate=2,noise=alls=100:allf=t"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "film.mp4")
        sources = ("-f", "lavfi", "-i", video_source, "-f", "lavfi", "-i", f"sine=duration={seconds}")
        run_ffmpeg(*sources, "-c:v", "mpeg4", "-q:v", "1", "-c:a", "aac", str(path))
        return path.read_bytes()
