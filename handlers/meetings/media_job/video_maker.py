"""Video output of the media job.

The chunks of a recording are joined to one MP4 file. If their videos cannot be copied, they are first encoded in
pieces, and the pieces are joined.

Files are joined with ffmpeg's concat demuxer, which reads a list of the files with their planned durations. Without
this list, ffmpeg would use the durations in the files' headers, which may be wrong. The MP4 file has its index at the
beginning, so that players need not fetch its end first.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from handlers.meetings.media_job.chunk_facts import SECOND
from handlers.meetings.media_job.chunk_probe import probe_chunk
from handlers.meetings.media_job.ffmpeg import CHUNK_OPTIONS, LIST_OPTIONS, METADATA_FREE_OPTIONS, Ffmpeg, InputRefused
from handlers.meetings.media_job.media_output_plan import MAX_VIDEO_BIT_RATE, RecordingPlan, VideoPiece

TIME_SCALE: Final = 90_000
"""Time units per second in encoded pieces. All pieces must have the same time unit, so that they can be joined."""
KEYFRAME_SECONDS: Final = 5
"""Maximum time between two key frames. A player can start only at a key frame."""
DURATION_TOLERANCE: Final = 1_000_000
"""Microseconds by which a joined video may be longer or shorter than planned, in addition to `_last_frame_error`."""
VIDEO_ENCODER: Final = "libx264"
SCALE_OPTIONS: Final = "force_original_aspect_ratio=decrease:force_divisible_by=2:out_color_matrix=bt709:out_range=tv"
"""Options of ffmpeg's `scale` filter: keep the aspect ratio, and convert the colours to those of `COLOUR_OPTIONS`."""
COLOUR_OPTIONS: Final = ("-x264-params", "colorprim=bt709:transfer=bt709:colormatrix=bt709:range=tv:chromaloc=0")
"""Colour properties of all pieces, because the joined file declares them only once. The encoder itself gets them,
because it would otherwise use those of its input.
"""


class VideoMaker:
    """Writes video files to the folder of the chunks. `names` are the chunks' file names."""

    def __init__(self, ffmpeg: Ffmpeg, plan: RecordingPlan, names: tuple[str, ...], threads: int) -> None:
        self._ffmpeg = ffmpeg
        self._plan = plan
        self._names = names
        self._threads = threads

    def encode_piece(self, piece: VideoPiece, name: str) -> None:
        """Encode a piece with the plan's frame size and frame rate. Raises InputRefused if it contains no frame, or if
        ffmpeg cannot decode a chunk.
        """
        seconds = f"{piece.duration / SECOND:.6f}"
        self._ffmpeg.run(
            *self._piece_input(piece, seconds),
            *("-an", "-sn", "-dn", "-c:v", VIDEO_ENCODER, "-preset", "veryfast", "-crf", "26", "-pix_fmt", "yuv420p"),
            *COLOUR_OPTIONS,
            *("-maxrate", str(MAX_VIDEO_BIT_RATE), "-bufsize", str(2 * MAX_VIDEO_BIT_RATE)),
            *("-g", str(KEYFRAME_SECONDS * self._plan.frame_rate)),
            *("-threads", str(self._threads), "-t", seconds, "-video_track_timescale", str(TIME_SCALE)),
            # ffmpeg skips single frames that it cannot decode. A piece without any frame is an error.
            *("-abort_on", "empty_output", *METADATA_FREE_OPTIONS, "-f", "mp4", name),
        )

    def find_undecodable(self, piece: VideoPiece) -> tuple[int, ...]:
        """Return the numbers of those chunks of a failed piece that cannot be decoded."""
        chunks = []
        for span in piece.spans:
            try:
                self._ffmpeg.run(*CHUNK_OPTIONS, "-i", self._names[span.chunk], "-map", "0:V:0", "-f", "null", "-")
            except InputRefused:
                chunks.append(span.chunk)
        return tuple(chunks)

    def join(self, name: str, soundtrack: str | None, pieces: Sequence[str] = ()) -> None:
        """Write the whole video from the named pieces, or by copying the chunks' videos if there are no pieces.

        `soundtrack` is the name of the file with the soundtrack. If it is None, the audio of the only chunk is copied,
        or the video is silent. Raises InputRefused if ffmpeg fails, or if the duration differs from the plan.
        """
        inputs, maps = self._video_input(pieces)
        first_audio = self._plan.chunks[0].audio
        if soundtrack is not None:
            inputs, maps = (*inputs, *CHUNK_OPTIONS, "-i", soundtrack), (*maps, "-map", "1:0")
        elif self._plan.copies_audio and first_audio is not None:
            inputs = (*inputs, *self._all_chunks_input("audio-list"))
            maps = (*maps, "-map", f"1:{first_audio.track_format.stream}")
        output_options = ("-c", "copy", *self._codec_tag(), *METADATA_FREE_OPTIONS, "-movflags", "+faststart")
        self._ffmpeg.run(*inputs, *maps, *output_options, "-f", "mp4", name)
        difference = abs(probe_chunk(self._ffmpeg, name).duration - self._plan.duration)
        if difference > DURATION_TOLERANCE + self._last_frame_error:
            raise InputRefused

    def _video_input(self, pieces: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the options that read the video, and the options that select its stream."""
        if pieces:
            list_name = self._write_list("video-list", pieces, [piece.duration for piece in self._plan.pieces])
            return (*LIST_OPTIONS, "-i", list_name), ("-map", "0:0")
        video = self._plan.chunks[0].video
        if video is None:
            raise ValueError("the recording has no video to copy")
        return self._all_chunks_input("video-list"), ("-map", f"0:{video.track_format.stream}")

    def _all_chunks_input(self, name: str) -> tuple[str, ...]:
        """Return the options that read all chunks. A single chunk is read through a list too, which makes its
        timestamps start at zero.
        """
        return *LIST_OPTIONS, "-i", self._write_list(name, self._names, [chunk.duration for chunk in self._plan.chunks])

    def _codec_tag(self) -> tuple[str, ...]:
        """Return the option that marks copied HEVC video as `hvc1`, because Apple's players do not play `hev1`."""
        video = self._plan.chunks[0].video
        is_copied_hevc = self._plan.copies_video and video is not None and video.track_format.codec == "hevc"
        return ("-tag:v", "hvc1") if is_copied_hevc else ()

    def _piece_input(self, piece: VideoPiece, seconds: str) -> tuple[str, ...]:
        """Return the options that read the frames of a piece and scale them.

        The input is a list of whole chunks, a section of a chunk, or a generator of black frames.
        """
        width, height = self._plan.frame_size
        if piece.track_format is None:
            black = f"color=c=black:s={width}x{height}:r={self._plan.frame_rate}:d={seconds},format=yuv420p[black]"
            return "-filter_complex", black, "-map", "[black]"
        scale_filter = f"scale=iw*sar:ih,scale={width}:{height}:{SCALE_OPTIONS},pad={width}:{height}:-1:-1,setsar=1"
        output_options = (
            "-map",
            f"0:{piece.track_format.stream}",
            "-vf",
            f"{self._constant_rate_filter},{scale_filter}",
        )
        threads = ("-threads", str(self._threads))
        (first, *others) = piece.spans
        if others or first.duration == self._plan.chunks[first.chunk].duration:
            names = [self._names[span.chunk] for span in piece.spans]
            list_name = self._write_list("video-list", names, [span.duration for span in piece.spans])
            return *threads, *LIST_OPTIONS, "-i", list_name, *output_options
        seek_options = ("-noaccurate_seek", "-ss", f"{first.begin / SECOND:.6f}")
        return *threads, *CHUNK_OPTIONS, *seek_options, "-i", self._names[first.chunk], *output_options

    @property
    def _last_frame_error(self) -> int:
        """Possible error of a measured duration in microseconds, because a file may not contain its last frame's
        duration.

        The last frame is one of the encoded video or of the last chunk, so the longer duration of a frame counts.
        """
        last = self._plan.chunks[-1].video
        return max(SECOND // self._plan.frame_rate, last.end // last.count if last and last.count else 0)

    @property
    def _constant_rate_filter(self) -> str:
        """Filter of ffmpeg for a constant frame rate.

        Each frame is shown until the next one, the first from the start of the piece, and the last until the option
        `-t` ends the piece.

        For a section of a chunk, ffmpeg starts at a key frame before the section. The filter drops the frames that are
        no longer visible in the section. In transport streams, which have no index, ffmpeg starts at the next key
        frame.
        """
        rate = self._plan.frame_rate
        # By default, `fps` rounds to the nearest output frame, but drops a last frame whose start is rounded up to its
        # end. Adding half a frame and rounding down gives the same times, and drops no frame.
        rounded = f"settb=AVTB,setpts=PTS+{SECOND // (2 * rate)},fps={rate}:round=down:eof_action=pass"
        return f"{rounded},tpad=stop=-1:stop_mode=clone,fps={rate}:start_time=0"

    def _write_list(self, name: str, files: Sequence[str], durations: Sequence[int]) -> str:
        """Write a list for the concat demuxer, with durations in microseconds; return its name."""
        lines = (f"file {file}\nduration {duration}us\n" for file, duration in zip(files, durations, strict=True))
        Path(self._ffmpeg.folder, name).write_text("ffconcat version 1.0\n" + "".join(lines), encoding="ascii")
        return name
