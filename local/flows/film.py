"""Videos as cameras make them: real ffmpeg films noise and a tone."""

import subprocess
import tempfile
from pathlib import Path

import imageio_ffmpeg


def film(seconds: int) -> bytes:
    """An MP4 of some seconds, of several megabytes each: noise cannot be made small."""
    pictures = f"testsrc2=duration={seconds}:size=1280x720:rate=2,noise=alls=100:allf=t"
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "film.mp4")
        subprocess.run(
            [
                *(imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "error", "-y"),
                *("-f", "lavfi", "-i", pictures, "-f", "lavfi", "-i", f"sine=duration={seconds}"),
                *("-c:v", "mpeg4", "-q:v", "1", "-c:a", "aac", str(made)),
            ],
            capture_output=True,
            check=True,
        )
        return made.read_bytes()
