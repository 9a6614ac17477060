"""The steps that make something of a recording's chunks, each done once: its result is an object that says what it is of.

An object that says so in its metadata (`recipe`) is not made again, whoever made it; one of another recipe, from before
a setting was changed, is replaced. So an interruption costs the step that was going on, and two jobs at once write the
same.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from handlers.common.logging import EventLog, hashed
from handlers.meetings.media_job.audio_maker import AudioMaker, UndecodableChunks
from handlers.meetings.media_job.chunk_files import ChunkFolder
from handlers.meetings.media_job.ffmpeg import Ffmpeg, FfmpegFailed, InputRefused
from handlers.meetings.media_job.job_bucket import JobBucket
from handlers.meetings.media_job.recording_plan import RecordingPlan, SpeechPart, VideoPiece
from handlers.meetings.media_job.video_maker import VideoMaker
from handlers.meetings.s3_keys import Recording

RECIPE_VERSION: Final = 2
"""Of how things are made: raised when that changes, so that nothing is put together of old and new."""
FLAC, MP4 = "audio/flac", "video/mp4"
RESULT_NAME: Final = "made"
"""What a step's result is called on the disk."""
SOUNDTRACK_NAME: Final = "sound"


class JobSteps:
    """Does what is not done yet. Each step says how many milliseconds ffmpeg took for it, now or then."""

    def __init__(
        self,
        recording: Recording,
        bucket: JobBucket,
        ffmpeg: Ffmpeg,
        plan: RecordingPlan,
        shelf: ChunkFolder,
        threads: int,
        log: EventLog,
    ) -> None:
        self._recording = recording
        self._bucket = bucket
        self._ffmpeg = ffmpeg
        self._plan = plan
        self._chunk_folder = shelf
        self._log = log
        self._audio_maker = AudioMaker(ffmpeg, plan, shelf.names)
        self._video_maker = VideoMaker(ffmpeg, plan, shelf.names, threads)
        self._chunks_with_sound = tuple(number for number, one in enumerate(plan.chunks) if one.sound is not None)

    def make_audio_part(self, part: SpeechPart) -> int:
        """A part of what is transcribed."""

        def make() -> None:
            self._chunk_folder.download(self._chunks_with_sound)
            self._audio_maker.make_part(part, RESULT_NAME)

        return self._run_step(self._recording.audio_key(part.number), f"speech {part.first}+{part.samples}", FLAC, make)

    def make_video(self) -> int:
        """The video, with its pieces if it has any. Raises Refused where pictures cannot be copied after all."""
        key = self._recording.video_key
        if self._plan.copies_video:
            return self._run_step(key, "copied", MP4, self._make_copied_video)
        width, height = self._plan.frame_size
        recipe = f"encoded {width}x{height} {self._plan.frame_rate}"
        done = self._find_result(key, recipe)
        if done is not None:
            return done
        before = sum(self._make_piece(piece, recipe) for piece in self._plan.pieces)
        return self._run_step(key, recipe, MP4, self._join_pieces, before)

    def _make_copied_video(self) -> None:
        sound = self._make_soundtrack()
        self._chunk_folder.download()
        self._video_maker.join(RESULT_NAME, sound)

    def _join_pieces(self) -> None:
        sound = self._make_soundtrack()
        if self._plan.copies_audio:
            self._chunk_folder.download()
        else:
            self._chunk_folder.clear()
        names = [f"piece-{piece.number:04d}" for piece in self._plan.pieces]
        for name, piece in zip(names, self._plan.pieces, strict=True):
            self._bucket.download(self._piece_key(piece), self._ffmpeg.folder / name)
        try:
            self._video_maker.join(RESULT_NAME, sound, names)
        except InputRefused:
            raise FfmpegFailed("it does not put its own pieces together") from None

    def _make_soundtrack(self) -> str | None:
        """The video's sound, where it has any that cannot be copied."""
        if not self._plan.has_audio or self._plan.copies_audio:
            return None
        self._chunk_folder.download(self._chunks_with_sound)
        self._audio_maker.make_soundtrack(SOUNDTRACK_NAME)
        return SOUNDTRACK_NAME

    def _make_piece(self, piece: VideoPiece, look: str) -> int:
        spans = " ".join(f"{span.chunk}:{span.begin}-{span.end}" for span in piece.spans)

        def make() -> None:
            self._chunk_folder.download(span.chunk for span in piece.spans)
            try:
                self._video_maker.encode_piece(piece, RESULT_NAME)
            except InputRefused:
                if bad := self._video_maker.find_undecodable(piece):
                    raise UndecodableChunks(*bad) from None
                self._log.warning("media_piece_is_black", key_hash=hashed(self._piece_key(piece)))
                self._make_black_piece(piece)

        return self._run_step(self._piece_key(piece), f"{look} {hashed(spans)}", MP4, make)

    def _make_black_piece(self, piece: VideoPiece) -> None:
        try:
            self._video_maker.encode_piece(replace(piece, form=None), RESULT_NAME)
        except InputRefused:
            raise FfmpegFailed("it does not encode pictures") from None

    def _piece_key(self, piece: VideoPiece) -> str:
        return f"{self._recording.media_work_prefix}pieces/{piece.number:05d}.mp4"

    def _run_step(self, key: str, recipe: str, kind: str, make: Callable[[], None], before: int = 0) -> int:
        done = self._find_result(key, recipe)
        if done is not None:
            return done
        begun, made = self._ffmpeg.milliseconds, self._ffmpeg.folder / RESULT_NAME
        make()
        took = self._ffmpeg.milliseconds - begun + before
        self._bucket.upload(key, made, kind, _versioned(recipe), took)
        size = made.stat().st_size
        made.unlink()
        self._log.info("media_step", key_hash=hashed(key), bytes_written=size, milliseconds=took)
        return took

    def _find_result(self, key: str, recipe: str) -> int | None:
        found = self._bucket.find(key)
        return found.ffmpeg_ms if found is not None and found.recipe == _versioned(recipe) else None


def _versioned(recipe: str) -> str:
    return f"{RECIPE_VERSION} {recipe}"
