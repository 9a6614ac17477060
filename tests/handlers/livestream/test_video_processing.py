"""From an upload to its chunks, with events in every order, again and again, and with whatever fails on the way."""

import json
from random import Random

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from handlers.livestream.tracks import RANKS, TrackReason, TrackState
from handlers.livestream.video_tracks import Chunks, VideoMoved
from tests.handlers.livestream.video_stage import (
    BUCKET,
    HOURS,
    NEWER,
    OLDER,
    ORDER,
    OWNER,
    STATUSES,
    UPLOAD,
    Stage,
    completed,
    created,
    envelope,
    job,
    key,
    playlist,
    replayed,
    video,
)

THROTTLED = ClientError({"Error": {"Code": "TooManyRequestsException", "Message": "canary"}}, "CreateJob")
BROKEN = ClientError({"Error": {"Code": "InternalServerErrorException", "Message": "canary"}}, "CreateJob")
FORBIDDEN = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "canary"}}, "CreateJob")
REFUSED = ClientError({"Error": {"Code": "BadRequestException", "Message": "canary"}}, "CreateJob")
OURS = (
    *(created(video()), completed(video())),
    *(job(video(), status) for status in ("PROGRESSING", "STATUS_UPDATE", "COMPLETE")),
)
WHERE = playlist(video()).removeprefix(f"s3://{BUCKET}/").rpartition("/")[0] + "/"
CHUNKED = VideoMoved(UPLOAD, "v1", TrackState.CHUNKED, chunks=Chunks(WHERE, 3, 120, 250_041))


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_an_upload_is_noted_and_announced(stage: Stage) -> None:
    assert stage.handle(created(video())) == []
    assert stage.tracks.at == VideoMoved(UPLOAD, "v1", TrackState.UPLOADED)
    assert stage.cloud.announced == [video()]


def test_an_announced_upload_gets_a_job(stage: Stage) -> None:
    assert stage.handle(completed(video())) == []
    assert stage.tracks.at == VideoMoved(UPLOAD, "v1", TrackState.CHUNKING)
    [asked] = stage.cloud.jobs
    assert asked["Settings"]["Inputs"][0]["FileInput"] == f"s3://{BUCKET}/{key()}"


def test_chunks_are_counted_by_their_playlist(stage: Stage) -> None:
    """250.041 s are three chunks of 120 s; by its length, a video of 240.041 s would be three too."""
    stage.cloud.count = 2
    assert stage.handle(job(video(), "COMPLETE")) == []
    assert stage.tracks.at == VideoMoved(UPLOAD, "v1", TrackState.CHUNKED, chunks=Chunks(WHERE, 2, 120, 250_041))


def test_the_length_of_chunks_is_the_jobs_own(stage: Stage) -> None:
    """The setting may have changed since the job was made."""
    metadata = json.loads(job(video(), "COMPLETE"))["detail"]["userMetadata"]
    stage.handle(job(video(), "COMPLETE", userMetadata={**metadata, "chunkSeconds": "60"}))
    assert stage.tracks.at is not None
    assert stage.tracks.at.chunks == Chunks(WHERE, 3, 60, 250_041)


def ended(duration_ms: int, **metadata: str) -> str:
    """A job that has cut so much."""
    detail = json.loads(job(video(), "COMPLETE"))["detail"]
    detail["outputGroupDetails"][0]["outputDetails"][0]["durationInMs"] = duration_ms
    about = {**detail["userMetadata"], **metadata}
    return job(video(), "COMPLETE", outputGroupDetails=detail["outputGroupDetails"], userMetadata=about)


def test_a_job_ends_however_long_a_video_plays(stage: Stage) -> None:
    """A still picture plays for a day in a megabyte, and MediaConvert is paid by the minute."""
    stage.handle(completed(video()))
    [asked] = stage.cloud.jobs
    [clip] = asked["Settings"]["Inputs"][0]["InputClippings"]
    assert clip.keys() == {"EndTimecode"}


def test_a_video_that_was_cut_off_does_not_pass_for_a_whole_one(stage: Stage) -> None:
    stage.handle(ended(HOURS * 3_600_000))
    assert stage.tracks.at is not None
    assert stage.tracks.at.state is TrackState.CHUNKED
    longer = Stage()
    longer.handle(ended(HOURS * 3_600_000 + 1))
    assert longer.tracks.at == VideoMoved(UPLOAD, "v1", TrackState.FAILED, TrackReason.TOO_LARGE)


def test_what_is_too_long_is_the_jobs_own(stage: Stage) -> None:
    """The setting may have changed since the job was made, and jobs of before have none."""
    stage.handle(ended(5_400_000, maxHours="1"))
    assert stage.tracks.at == VideoMoved(UPLOAD, "v1", TrackState.FAILED, TrackReason.TOO_LARGE)
    before = json.loads(ended(100 * 3_600_000))
    del before["detail"]["userMetadata"]["maxHours"]
    stage.handle(json.dumps(before))
    assert stage.tracks.at is not None
    assert stage.tracks.at.state is TrackState.CHUNKED


NO_SUCH_CLIP = job(video(suffix=".MP4"), "ERROR", errorCode=1060)
"""Whether MediaConvert takes a clip that ends behind its input is not written anywhere."""


def test_a_video_that_ends_before_its_clip_is_cut_to_its_own_end(stage: Stage) -> None:
    one = video(suffix=".MP4")
    assert stage.handle(completed(one), NO_SUCH_CLIP) == []
    assert stage.tracks.at == VideoMoved(UPLOAD, "v1", TrackState.CHUNKING)
    clipped, whole = stage.cloud.jobs
    assert "InputClippings" in clipped["Settings"]["Inputs"][0]
    assert whole["Settings"]["Inputs"][0] == {
        name: value for name, value in clipped["Settings"]["Inputs"][0].items() if name != "InputClippings"
    }
    assert len(stage.tokens) == 2, "under the token of the first job there would be no second"
    about = {"userMetadata": whole["UserMetadata"]}
    stage.handle(job(one, "ERROR", errorCode=1060, **about))
    assert stage.tracks.at.state is TrackState.FAILED, "a job without a clip cannot lack it"
    assert len(stage.cloud.jobs) == 2


def test_a_video_that_is_cut_to_its_own_end_may_be_no_longer_either(stage: Stage) -> None:
    one = video(suffix=".MP4")
    stage.handle(completed(one), NO_SUCH_CLIP)
    about = {"userMetadata": stage.cloud.jobs[1]["UserMetadata"]}
    output = {"outputFilePaths": [playlist(one)], "durationInMs": HOURS * 3_600_000 + 1}
    stage.handle(job(one, "COMPLETE", outputGroupDetails=[{"outputDetails": [output]}], **about))
    assert stage.tracks.at == VideoMoved(UPLOAD, "v1", TrackState.FAILED, TrackReason.TOO_LARGE)


def test_the_failure_of_a_clip_is_acted_on_once_and_never_after_the_video_has_come(stage: Stage) -> None:
    one = video(suffix=".MP4")
    assert stage.handle(completed(one), NO_SUCH_CLIP, NO_SUCH_CLIP) == []
    assert len(stage.tokens) == 2, "a repeat is the same job"
    stage.handle(job(one, "COMPLETE"))
    asked = len(stage.cloud.jobs)
    stage.handle(NO_SUCH_CLIP)
    assert stage.tracks.at is not None
    assert (stage.tracks.at.state, len(stage.cloud.jobs)) == (TrackState.CHUNKED, asked)


def test_a_second_job_that_cannot_be_had_now_is_asked_for_again(stage: Stage) -> None:
    stage.handle(completed(video(suffix=".MP4")))
    stage.cloud.failures.append(THROTTLED)
    assert stage.handle(NO_SUCH_CLIP) == [0]
    assert stage.handle(NO_SUCH_CLIP) == []
    assert len(stage.tokens) == 2


@pytest.mark.parametrize(
    "changed", [{"key": key(NEWER)}, {"key": "videos/other.mp4"}, {"key": None}, {"maxHours": None}]
)
def test_a_clip_that_no_job_of_ours_can_have_lacked_is_a_failure(stage: Stage, changed: dict[str, str | None]) -> None:
    told = json.loads(NO_SUCH_CLIP)
    metadata = {**told["detail"]["userMetadata"], **changed}
    told["detail"]["userMetadata"] = {name: value for name, value in metadata.items() if value is not None}
    stage.handle(json.dumps(told))
    assert stage.tracks.at == VideoMoved(UPLOAD, "v1", TrackState.FAILED, TrackReason.CHUNKING_FAILED, 1060)
    assert stage.cloud.jobs == []


def test_a_failed_job_says_why_by_number_alone(stage: Stage) -> None:
    stage.handle(job(video(), "ERROR"))
    assert stage.tracks.at == VideoMoved(UPLOAD, "v1", TrackState.FAILED, TrackReason.CHUNKING_FAILED, 1010)


def test_a_cancelled_job_has_failed(stage: Stage) -> None:
    stage.handle(job(video(), "CANCELED"))
    assert stage.tracks.at == VideoMoved(UPLOAD, "v1", TrackState.FAILED, TrackReason.CHUNKING_FAILED)


@pytest.mark.parametrize("suffix", [".txt", ""])
def test_what_is_no_video_fails_at_once(stage: Stage, suffix: str) -> None:
    assert stage.handle(created(video(suffix=suffix))) == []
    assert stage.tracks.at == VideoMoved(UPLOAD, "v1", TrackState.FAILED, TrackReason.UNSUPPORTED_TYPE)
    assert (stage.cloud.announced, stage.cloud.jobs) == ([], [])


@given(st.permutations(OURS), st.lists(st.sampled_from(OURS), max_size=8))
def test_any_order_and_any_repeats_end_with_chunks(events: list[str], again: list[str]) -> None:
    stage = Stage()
    assert stage.handle(*events) == []
    assert stage.tracks.at == CHUNKED
    moves, jobs, announced = stage.tracks.moves, list(stage.cloud.jobs), list(stage.cloud.announced)
    assert stage.handle(*again, *events) == []
    assert stage.tracks.at == CHUNKED
    assert (stage.tracks.moves, stage.cloud.jobs, stage.cloud.announced) == (moves, jobs, announced), (
        "what is done is not done again: a replay of the archive would cost a job a video"
    )


@given(
    st.lists(
        st.one_of(
            st.sampled_from([created(video(one)) for one in (OLDER, UPLOAD, NEWER)]),
            st.sampled_from([completed(video(one)) for one in (OLDER, UPLOAD, NEWER)]),
            st.sampled_from([job(video(one), status) for one in (OLDER, UPLOAD, NEWER) for status in STATUSES]),
        ),
        min_size=1,
        max_size=8,
    ),
    st.randoms(use_true_random=False),
)
def test_the_end_does_not_depend_on_the_order(events: list[str], random: Random) -> None:
    one, two = Stage(), Stage()
    one.handle(*events)
    shuffled = [*events, *events]
    random.shuffle(shuffled)
    two.handle(*shuffled)
    assert one.tracks.at is not None
    assert two.tracks.at is not None
    here, there = one.tracks.at, two.tracks.at
    assert (here.upload_id, here.state, here.chunks) == (there.upload_id, there.state, there.chunks)


@pytest.mark.parametrize(
    "older", [created(video(OLDER)), completed(video(OLDER)), *(job(video(OLDER), s) for s in STATUSES)]
)
@pytest.mark.parametrize("newer", [created(video()), job(video(), "ERROR"), created(video(suffix=".txt"))])
def test_an_older_upload_changes_nothing(stage: Stage, older: str, newer: str) -> None:
    stage.handle(newer)
    before, announced = stage.tracks.at, list(stage.cloud.announced)
    assert stage.handle(older) == []
    assert stage.tracks.at == before
    assert (stage.cloud.jobs, stage.cloud.announced) == ([], announced)


def test_a_newer_upload_starts_anew(stage: Stage) -> None:
    stage.handle(*OURS, created(video(NEWER)))
    assert stage.tracks.at == VideoMoved(NEWER, "v1", TrackState.UPLOADED)
    assert stage.cloud.announced[-1] == video(NEWER)


def test_chunks_that_are_there_are_there(stage: Stage) -> None:
    """Somebody had given up on it, or a repeated job failed."""
    for events in (("ERROR", "COMPLETE"), ("COMPLETE", "ERROR")):
        fresh = Stage()
        fresh.handle(*(job(video(), one) for one in events))
        assert fresh.tracks.at == CHUNKED


def test_the_order_of_states_is_every_state_once() -> None:
    assert sorted(ORDER, key=lambda one: RANKS[one]) == list(ORDER), "the same that the table compares"


def test_an_episode_that_is_gone_gets_no_job(stage: Stage) -> None:
    stage.tracks.episodes.clear()
    assert stage.handle(*OURS, created(video(suffix=".txt"))) == []
    assert (stage.tracks.at, stage.cloud.jobs, stage.cloud.announced) == (None, [], [])


def test_chunks_that_were_deleted_meanwhile_are_not_recorded(stage: Stage) -> None:
    stage.cloud.count = None
    assert stage.handle(job(video(), "COMPLETE")) == []
    assert stage.tracks.at is None


@pytest.mark.parametrize("failure", [THROTTLED, BROKEN, FORBIDDEN, REFUSED, TimeoutError()])
def test_what_may_pass_or_be_mended_goes_back_and_is_done_then(stage: Stage, failure: Exception) -> None:
    stage.cloud.failures = [failure]
    assert stage.handle(completed(video())) == [0]
    assert stage.tracks.at == VideoMoved(UPLOAD, "v1", TrackState.UPLOADED)
    assert stage.handle(completed(video())) == []
    assert stage.tracks.at == VideoMoved(UPLOAD, "v1", TrackState.CHUNKING)
    assert len(stage.cloud.jobs) == 1


def test_a_video_whose_job_failed_is_cut_once_its_event_is_replayed(stage: Stage) -> None:
    """What a role lacked has been mended: MediaConvert's number for it is that of a video which it cannot read, too."""
    stage.handle(completed(video()), job(video(), "ERROR"))
    assert stage.handle(completed(video()), created(video())) == []
    assert len(stage.cloud.jobs) == 1, "an event that comes late or twice has nothing done again"
    again = replayed(completed(video()))
    assert stage.handle(again, again) == []
    assert stage.tracks.at == VideoMoved(UPLOAD, "v1", TrackState.CHUNKING)
    assert len(stage.cloud.jobs) == 2
    stage.handle(job(video(), "COMPLETE"), again)
    assert (stage.tracks.at, len(stage.cloud.jobs)) == (CHUNKED, 2)


@pytest.mark.parametrize(
    "ending",
    [created(video(suffix=".txt")), ended(HOURS * 3_600_000 + 1), job(video(), "COMPLETE"), created(video(NEWER))],
)
def test_a_replay_changes_nothing_of_what_no_mending_would(stage: Stage, ending: str) -> None:
    stage.handle(ending)
    before = stage.tracks.at
    assert stage.handle(replayed(completed(video()))) == []
    assert (stage.tracks.at, stage.cloud.jobs) == (before, [])


def test_a_video_that_failed_is_told_by_its_number_alone(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """An alarm counts these lines: a role that MediaConvert may not use fails every video, and each event counts as done."""
    stage.handle(completed(video()), job(video(), "ERROR", errorCode=1401), job(video(NEWER), "CANCELED"))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    [told] = [line for line in lines if line["message"] == "video_failed"]
    assert told["code"] == "1401"
    stage.handle(job(video(), "COMPLETE"), job(video(), "ERROR"))
    assert "video_failed" not in capsys.readouterr().out, "there are chunks"


def test_an_upload_that_could_not_be_announced_is_announced_later(stage: Stage) -> None:
    stage.cloud.failures = [BROKEN]
    assert stage.handle(created(video())) == [0]
    assert stage.handle(created(video())) == []
    assert stage.cloud.announced == [video()]


def test_a_job_that_nobody_could_note_is_made_again_under_the_same_name(stage: Stage) -> None:
    stage.handle(completed(video()))
    stage.tracks.at = VideoMoved(UPLOAD, "v1", TrackState.UPLOADED)
    stage.handle(completed(video()))
    assert len(stage.cloud.jobs) == 2
    assert stage.cloud.jobs[0] == stage.cloud.jobs[1]


def test_one_bad_message_does_not_fail_its_batch(stage: Stage) -> None:
    strange = envelope("somebody", "Something", {})
    assert stage.handle("no JSON", created(video()), strange, completed(video()), created("videos/x")) == [0, 2]
    assert len(stage.cloud.jobs) == 1


def test_nothing_of_an_event_reaches_a_log(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.cloud.failures = [THROTTLED]
    stage.handle(
        completed(video()), *OURS, job(video(), "ERROR"), created(video(suffix=".txt")), "canary", created("canary")
    )
    told = capsys.readouterr().out
    assert "video_event" in told
    assert not [one for one in ("canary", OWNER, UPLOAD, "videos/", "s3://") if one in told]
