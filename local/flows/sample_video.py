"""Videos as cameras make them: real ffmpeg films noise and a tone."""

import tempfile
from pathlib import Path

from local.emulation.speech.audio_files import run_ffmpeg


def film(seconds: int) -> bytes:
    """An MP4 of some seconds, of several megabytes each: noise cannot be made small."""
    pictures = f"testsrc2=duration={seconds}:size=1280x720:rate=2,noise=alls=100:allf=t"
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "film.mp4")
        sources = ("-f", "lavfi", "-i", pictures, "-f", "lavfi", "-i", f"sine=duration={seconds}")
        run_ffmpeg(*sources, "-c:v", "mpeg4", "-q:v", "1", "-c:a", "aac", str(made))
        return made.read_bytes()
