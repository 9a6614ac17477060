"""Makes the video: chunks put together by ffmpeg's concat demuxer, or the pieces that they were encoded to.

Lists name files by names of ours, beside them, with the durations that the plan goes by: ffmpeg would take what the
files' heads say. What comes out has its index at its beginning, so that a player need not fetch its end first.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from handlers.meetings.media_job.chunk_probe import probe_chunk
from handlers.meetings.media_job.ffmpeg import CHUNK_OPTIONS, LIST_OPTIONS, METADATA_FREE_OPTIONS, Ffmpeg, InputRefused
from handlers.meetings.media_job.recording_plan import MAX_VIDEO_BITS, RecordingPlan, VideoPiece

TIME_SCALE: Final = 90_000
KEYFRAME_SECONDS: Final = 5
"""How far apart pictures are that a player can begin with."""
DURATION_TOLERANCE: Final = 1_000_000
"""Microseconds, beside one picture, by which a video may be shorter or longer than its chunks together."""
VIDEO_ENCODER: Final = "libx264"
SCALE_OPTIONS: Final = "force_original_aspect_ratio=decrease:force_divisible_by=2:out_color_matrix=bt709:out_range=tv"
COLOUR_OPTIONS: Final = ("-x264-params", "colorprim=bt709:transfer=bt709:colormatrix=bt709:range=tv:chromaloc=0")
"""What all pieces say of their colours: an MP4 says it once. Told to the encoder itself, which else goes by the pictures."""
_SECOND: Final = 1_000_000


class VideoMaker:
    """Makes files of pictures beside the chunks, whose names it is told."""

    def __init__(self, ffmpeg: Ffmpeg, plan: RecordingPlan, names: tuple[str, ...], threads: int) -> None:
        self._ffmpeg = ffmpeg
        self._plan = plan
        self._names = names
        self._threads = threads

    def encode_piece(self, piece: VideoPiece, name: str) -> None:
        """A piece, encoded: as large, fast and long as all others."""
        seconds = f"{piece.duration / _SECOND:.6f}"
        self._ffmpeg.run(
            *self._piece_input(piece, seconds),
            *("-an", "-sn", "-dn", "-c:v", VIDEO_ENCODER, "-preset", "veryfast", "-crf", "26", "-pix_fmt", "yuv420p"),
            *COLOUR_OPTIONS,
            *(
                "-maxrate",
                str(MAX_VIDEO_BITS),
                "-bufsize",
                str(2 * MAX_VIDEO_BITS),
                "-g",
                str(KEYFRAME_SECONDS * self._plan.frame_rate),
            ),
            *("-threads", str(self._threads), "-t", seconds, "-video_track_timescale", str(TIME_SCALE)),
            # Pictures that cannot be decoded are left out; a piece without any is no piece.
            *("-abort_on", "empty_output", *METADATA_FREE_OPTIONS, "-f", "mp4", name),
        )

    def find_undecodable(self, piece: VideoPiece) -> tuple[int, ...]:
        """The chunks of a piece that could not be made because of them."""
        found = []
        for span in piece.spans:
            try:
                self._ffmpeg.run(*CHUNK_OPTIONS, "-i", self._names[span.chunk], "-map", "0:V:0", "-f", "null", "-")
            except InputRefused:
                found.append(span.chunk)
        return tuple(found)

    def join(self, name: str, sound: str | None, pieces: Sequence[str] = ()) -> None:
        """The whole video, of chunks as they are or of pieces; and of the sound that was made, or that of the one chunk."""
        reads, maps = self._video_input(pieces)
        heard = self._plan.chunks[0].sound
        if sound is not None:
            reads, maps = (*reads, *CHUNK_OPTIONS, "-i", sound), (*maps, "-map", "1:0")
        elif self._plan.copies_audio and heard is not None:
            reads, maps = (*reads, *self._all_chunks_input("heard")), (*maps, "-map", f"1:{heard.form.stream}")
        self._ffmpeg.run(
            *reads,
            *maps,
            "-c",
            "copy",
            *self._codec_tag(),
            *METADATA_FREE_OPTIONS,
            "-movflags",
            "+faststart",
            "-f",
            "mp4",
            name,
        )
        away = abs(probe_chunk(self._ffmpeg, name).duration - self._plan.duration)
        if away > DURATION_TOLERANCE + self._frame_duration:
            raise InputRefused

    def _video_input(self, pieces: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """How the pictures are read, and which they are of what is read."""
        if pieces:
            listed = self._write_list("seen", pieces, [piece.duration for piece in self._plan.pieces])
            return (*LIST_OPTIONS, "-i", listed), ("-map", "0:0")
        pictures = self._plan.chunks[0].pictures
        if pictures is None:
            raise ValueError("there are no pictures to copy")
        return self._all_chunks_input("seen"), ("-map", f"0:{pictures.form.stream}")

    def _all_chunks_input(self, name: str) -> tuple[str, ...]:
        """All chunks. A single one is a list too: so its moments are counted from its own beginning, as everybody's are."""
        return *LIST_OPTIONS, "-i", self._write_list(name, self._names, [chunk.duration for chunk in self._plan.chunks])

    def _codec_tag(self) -> tuple[str, ...]:
        """Of two names that MP4 has for HEVC, Apple's players know one."""
        pictures = self._plan.chunks[0].pictures
        copied = self._plan.copies_video and pictures is not None and pictures.form.codec == "hevc"
        return ("-tag:v", "hvc1") if copied else ()

    def _piece_input(self, piece: VideoPiece, seconds: str) -> tuple[str, ...]:
        width, height = self._plan.frame_size
        if piece.form is None:
            black = f"color=c=black:s={width}x{height}:r={self._plan.frame_rate}:d={seconds},format=yuv420p[black]"
            return "-filter_complex", black, "-map", "[black]"
        fitted = f"scale=iw*sar:ih,scale={width}:{height}:{SCALE_OPTIONS},pad={width}:{height}:-1:-1,setsar=1"
        drawn = ("-map", f"0:{piece.form.stream}", "-vf", f"{self._constant_rate_filter},{fitted}")
        threads = ("-threads", str(self._threads))
        (first, *others) = piece.spans
        if others or first.duration == self._plan.chunks[first.chunk].duration:
            names = [self._names[span.chunk] for span in piece.spans]
            return (
                *threads,
                *LIST_OPTIONS,
                "-i",
                self._write_list("seen", names, [span.duration for span in piece.spans]),
                *drawn,
            )
        place = ("-noaccurate_seek", "-ss", f"{first.begin / _SECOND:.6f}")
        return *threads, *CHUNK_OPTIONS, *place, "-i", self._names[first.chunk], *drawn

    @property
    def _frame_duration(self) -> int:
        """How long one is, in microseconds: what the last is taken for, where nothing says how long it stands."""
        last = self._plan.chunks[-1].pictures
        return max(_SECOND // self._plan.frame_rate, last.end // last.count if last and last.count else 0)

    @property
    def _constant_rate_filter(self) -> str:
        """Each picture stands until the next one: the last for as long as anybody asks, the first before it begins too.

        Of a span, what is read begins with a picture that can be decoded by itself: the one that stands when the span
        begins is found from there, and what came before it is left out. Transport streams have no index: of those ffmpeg
        begins with the next such picture.
        """
        rate = self._plan.frame_rate
        # Moments are rounded as `fps` would by itself, which then loses a last picture that is rounded to its own end.
        rounded = f"settb=AVTB,setpts=PTS+{_SECOND // (2 * rate)},fps={rate}:round=down:eof_action=pass"
        return f"{rounded},tpad=stop=-1:stop_mode=clone,fps={rate}:start_time=0"

    def _write_list(self, name: str, files: Sequence[str], durations: Sequence[int]) -> str:
        """Writes a list; gives its name."""
        lines = (f"file {file}\nduration {duration}us\n" for file, duration in zip(files, durations, strict=True))
        Path(self._ffmpeg.folder, name).write_text("ffconcat version 1.0\n" + "".join(lines), encoding="ascii")
        return name
