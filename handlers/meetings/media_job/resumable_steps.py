"""Steps of the media job that each make one object of video or audio, unless an earlier or concurrent job made it.

An object's metadata contain its recipe, which is a text that names how the object was made. An object with the right
recipe is not made again, even if another job made it. An object with another recipe, from before a setting changed, is
replaced. So an interruption only repeats the current step, and two concurrent jobs write the same objects.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from handlers.common.logging import EventLog, hash_for_log
from handlers.meetings.media_job.audio_maker import AudioMaker, UndecodableChunks
from handlers.meetings.media_job.chunk_downloads import ChunkFolder
from handlers.meetings.media_job.ffmpeg import Ffmpeg, FfmpegFailed, InputRefused
from handlers.meetings.media_job.job_bucket import JobBucket
from handlers.meetings.media_job.recording_plan import RecordingPlan, SpeechPart, VideoPiece
from handlers.meetings.media_job.video_maker import VideoMaker
from handlers.meetings.s3_keys import Recording

RECIPE_VERSION: Final = 2
"""Raise it when the way of making outputs changes, so that old and new pieces are not joined."""
FLAC, MP4 = "audio/flac", "video/mp4"
"""Content types of the objects."""
RESULT_NAME: Final = "result"
"""File name of a step's result in the job's folder."""
SOUNDTRACK_NAME: Final = "sound"
"""File name of the soundtrack in the job's folder."""


class ResumableSteps:
    """Makes the objects that do not exist yet. Each step returns the milliseconds that ffmpeg took for its object, now
    or earlier.
    """

    def __init__(
        self,
        recording: Recording,
        bucket: JobBucket,
        ffmpeg: Ffmpeg,
        plan: RecordingPlan,
        chunk_folder: ChunkFolder,
        threads: int,
        log: EventLog,
    ) -> None:
        self._recording = recording
        self._bucket = bucket
        self._ffmpeg = ffmpeg
        self._plan = plan
        self._chunk_folder = chunk_folder
        self._log = log
        self._audio_maker = AudioMaker(ffmpeg, plan, chunk_folder.names)
        self._video_maker = VideoMaker(ffmpeg, plan, chunk_folder.names, threads)
        self._chunks_with_audio = tuple(number for number, chunk in enumerate(plan.chunks) if chunk.audio is not None)

    def make_audio_part(self, part: SpeechPart) -> int:
        """Make a part of the audio for the transcription."""

        def make() -> None:
            self._chunk_folder.download(self._chunks_with_audio)
            self._audio_maker.make_part(part, RESULT_NAME)

        return self._run_step(self._recording.audio_key(part.number), f"speech {part.first}+{part.samples}", FLAC, make)

    def make_video(self) -> int:
        """Make the video, with its encoded pieces if there are any. Raises InputRefused if the chunks' videos cannot be
        copied.
        """
        key = self._recording.video_key
        if self._plan.copies_video:
            return self._run_step(key, "copied", MP4, self._make_copied_video)
        width, height = self._plan.frame_size
        recipe = f"encoded {width}x{height} {self._plan.frame_rate}"
        milliseconds = self._find_result(key, recipe)
        if milliseconds is not None:
            return milliseconds  # a finished video needs no pieces
        pieces_milliseconds = sum(self._make_piece(piece, recipe) for piece in self._plan.pieces)
        return self._run_step(key, recipe, MP4, self._join_pieces, pieces_milliseconds)

    def _make_copied_video(self) -> None:
        soundtrack = self._make_soundtrack()
        self._chunk_folder.download()
        self._video_maker.join(RESULT_NAME, soundtrack)

    def _join_pieces(self) -> None:
        soundtrack = self._make_soundtrack()
        if self._plan.copies_audio:
            self._chunk_folder.download()  # the audio is copied from the chunk
        else:
            self._chunk_folder.clear()  # frees disk space for the pieces
        names = [f"piece-{piece.number:04d}" for piece in self._plan.pieces]
        for name, piece in zip(names, self._plan.pieces, strict=True):
            self._bucket.download(self._piece_key(piece), self._ffmpeg.folder / name)
        try:
            self._video_maker.join(RESULT_NAME, soundtrack, names)
        except InputRefused:
            raise FfmpegFailed("cannot join its own pieces") from None

    def _make_soundtrack(self) -> str | None:
        """Write the video's soundtrack; return its name, or None if there is none or it can be copied."""
        if not self._plan.has_audio or self._plan.copies_audio:
            return None
        self._chunk_folder.download(self._chunks_with_audio)
        self._audio_maker.make_soundtrack(SOUNDTRACK_NAME)
        return SOUNDTRACK_NAME

    def _make_piece(self, piece: VideoPiece, video_recipe: str) -> int:
        spans = " ".join(f"{span.chunk}:{span.begin}-{span.end}" for span in piece.spans)

        def make() -> None:
            self._chunk_folder.download(span.chunk for span in piece.spans)
            try:
                self._video_maker.encode_piece(piece, RESULT_NAME)
            except InputRefused:
                if undecodable := self._video_maker.find_undecodable(piece):
                    raise UndecodableChunks(*undecodable) from None
                # The chunks can be decoded, so the cause is that no frame lies in this piece's time.
                self._log.warning("media_piece_is_black", key_hash=hash_for_log(self._piece_key(piece)))
                self._make_black_piece(piece)

        return self._run_step(self._piece_key(piece), f"{video_recipe} {hash_for_log(spans)}", MP4, make)

    def _make_black_piece(self, piece: VideoPiece) -> None:
        black_piece = replace(piece, track_format=None)  # a piece without a format shows black frames
        try:
            self._video_maker.encode_piece(black_piece, RESULT_NAME)
        except InputRefused:
            raise FfmpegFailed("cannot encode video") from None

    def _piece_key(self, piece: VideoPiece) -> str:
        return f"{self._recording.media_work_prefix}pieces/{piece.number:05d}.mp4"

    def _run_step(
        self, key: str, recipe: str, content_type: str, make: Callable[[], None], extra_milliseconds: int = 0
    ) -> int:
        """Make an object unless it exists, and return the time that ffmpeg took.

        `make` writes the file `RESULT_NAME`. `extra_milliseconds` is added to its time, for the pieces of a video.
        """
        earlier_milliseconds = self._find_result(key, recipe)
        if earlier_milliseconds is not None:
            return earlier_milliseconds
        started_at, path = self._ffmpeg.milliseconds, self._ffmpeg.folder / RESULT_NAME
        make()
        milliseconds = self._ffmpeg.milliseconds - started_at + extra_milliseconds
        self._bucket.upload(key, path, content_type, _add_version(recipe), milliseconds)
        size = path.stat().st_size
        path.unlink()
        self._log.info("media_step", key_hash=hash_for_log(key), bytes_written=size, milliseconds=milliseconds)
        return milliseconds

    def _find_result(self, key: str, recipe: str) -> int | None:
        stored = self._bucket.find(key)
        return stored.ffmpeg_ms if stored is not None and stored.recipe == _add_version(recipe) else None


def _add_version(recipe: str) -> str:
    return f"{RECIPE_VERSION} {recipe}"
