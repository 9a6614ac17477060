"""Steps of the media job. Each step makes one object: a part of the audio, a piece of the video, or the whole video.

The metadata of an object contain its recipe, a text that describes how the object was made. For example, a video has
the recipe `2 encoded 1280x720 25`: `RECIPE_VERSION`, the method, the frame size and the frame rate. A step is skipped
if its object exists with the right recipe, so a job after an interruption repeats at most one step. After a change of a
setting, the recipe differs and the object is replaced.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from handlers.common.logging import EventLog, hash_for_log
from handlers.meetings.media_job.audio_maker import AudioMaker, UndecodableChunks
from handlers.meetings.media_job.chunk_checks_and_downloads import ChunkFolder
from handlers.meetings.media_job.ffmpeg import Ffmpeg, FfmpegFailed, InputRefused
from handlers.meetings.media_job.job_bucket import JobBucket
from handlers.meetings.media_job.media_output_plan import RecordingPlan, SpeechPart, VideoPiece
from handlers.meetings.media_job.video_maker import VideoMaker
from handlers.meetings.s3_keys import Recording

RECIPE_VERSION: Final = 2
"""Part of every recipe. Raise it when the code makes objects differently, so that older objects are not used."""
FLAC, MP4 = "audio/flac", "video/mp4"
"""Content types of the objects."""
RESULT_NAME: Final = "result"
"""Name of the local file that a step makes and then uploads."""
SOUNDTRACK_NAME: Final = "sound"
"""Name of the local file with the video's soundtrack."""


class ResumableSteps:
    """Steps for one recording. Each returns the milliseconds that ffmpeg took for its object, now or earlier."""

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

        return self._run_step(
            self._recording.audio_key(part.number), f"speech {part.first_sample}+{part.sample_count}", FLAC, make
        )

    def make_video(self) -> int:
        """Make the whole video, either by copying the chunks' videos or from encoded pieces.

        Raises InputRefused if copying was planned, but ffmpeg cannot join the chunks' videos.
        """
        key = self._recording.video_key
        if self._plan.copies_video:
            return self._run_step(key, "copied", MP4, self._make_copied_video)
        width, height = self._plan.frame_size
        recipe = f"encoded {width}x{height} {self._plan.frame_rate}"
        milliseconds = self._find_result(key, recipe)
        if milliseconds is not None:
            return milliseconds  # the pieces are not needed, because the whole video exists
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
            self._chunk_folder.clear()  # the pieces need the disk space
        names = [f"piece-{piece.number:04d}" for piece in self._plan.pieces]
        for name, piece in zip(names, self._plan.pieces, strict=True):
            self._bucket.download(self._piece_key(piece), self._ffmpeg.folder / name)
        try:
            self._video_maker.join(RESULT_NAME, soundtrack, names)
        except InputRefused:
            raise FfmpegFailed("cannot join its own pieces") from None

    def _make_soundtrack(self) -> str | None:
        """Make the video's soundtrack; return its file name, or None if there is no audio or if it is copied."""
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
                # All chunks can be decoded. So the reason is that they contain no frame during this piece.
                self._log.warning("media_piece_is_black", key_hash=hash_for_log(self._piece_key(piece)))
                self._make_black_piece(piece)

        return self._run_step(self._piece_key(piece), f"{video_recipe} {hash_for_log(spans)}", MP4, make)

    def _make_black_piece(self, piece: VideoPiece) -> None:
        black_piece = replace(piece, track_format=None)
        try:
            self._video_maker.encode_piece(black_piece, RESULT_NAME)
        except InputRefused:
            raise FfmpegFailed("cannot encode video") from None

    def _piece_key(self, piece: VideoPiece) -> str:
        return f"{self._recording.media_work_prefix}pieces/{piece.number:05d}.mp4"

    def _run_step(
        self, key: str, recipe: str, content_type: str, make: Callable[[], None], extra_milliseconds: int = 0
    ) -> int:
        """Make an object unless it exists with this recipe; return the milliseconds that ffmpeg took.

        `make` makes the file `RESULT_NAME`. `extra_milliseconds` is added to the returned time: the time that ffmpeg
        took for the pieces of a video.
        """
        earlier_milliseconds = self._find_result(key, recipe)
        if earlier_milliseconds is not None:
            return earlier_milliseconds
        milliseconds_before, path = self._ffmpeg.busy_milliseconds, self._ffmpeg.folder / RESULT_NAME
        make()
        milliseconds = self._ffmpeg.busy_milliseconds - milliseconds_before + extra_milliseconds
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
