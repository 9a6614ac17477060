"""Tracks move on, whatever is heard in whatever order; and the table moves them as the model does."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import permutations, product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlers.common.aws.dynamodb_values import deserialize_item
from handlers.livestream.episode_cleanup.cleanup_table import CareTable
from handlers.livestream.episode_table import EpisodeStands
from handlers.livestream.tracks import (
    GIVEN_UP,
    REPLACEABLE,
    UNDER_WAY,
    ContentType,
    EpisodeStatus,
    Step,
    Track,
    TrackKind,
    TrackReason,
    TrackState,
    Upload,
    given_up,
    stands_at,
    status,
)
from tests.handlers.livestream.api_setup import ANN, BOB, TABLE, Stage
from tests.handlers.livestream.track_model import heard, requested

NONE = Track(state=TrackState.NONE, since="0")
OLD, NEW = (Upload(upload_id=f"{number:026d}", content_type=ContentType.MP4, size=number) for number in (1, 2))
WAITING = requested(NONE, NEW, "1")
HEARD = (TrackState.UPLOADED, TrackState.CHUNKING, TrackState.FAILED, TrackState.CHUNKED)


def step(state: TrackState, upload: Upload = NEW, at: str = "2") -> Step:
    reason = TrackReason.CHUNKING_FAILED if state is TrackState.FAILED else None
    return Step(upload.upload_id, state, at, reason)


def after(steps: Iterable[Step], track: Track = WAITING) -> Track:
    for one in steps:
        track = heard(track, one)
    return track


def of_version(track: Track, version_id: str | None) -> Track:
    return track.model_copy(update={"version_id": version_id})


STEPS = st.builds(step, st.sampled_from(HEARD), st.sampled_from([OLD, NEW]), st.sampled_from("2345"))
WAITED_FOR = UNDER_WAY | {TrackState.REQUESTED}
OF_VERSIONS = st.builds(
    lambda one, version: replace(one, version_id=version), STEPS, st.sampled_from(["v1", "v2", None])
)
DONE_AGAIN = st.builds(replace, OF_VERSIONS, again=st.just(True))


def test_the_order_of_events_does_not_matter() -> None:
    for chosen in product([True, False], repeat=len(HEARD)):
        states = [state for state, taken in zip(HEARD, chosen, strict=True) if taken]
        ends = {after(step(state) for state in order).state for order in permutations(states)}
        assert len(ends) == 1


@given(st.lists(OF_VERSIONS, min_size=1))
def test_a_track_never_goes_back_and_hears_nothing_twice(steps: list[Step]) -> None:
    track = WAITING
    for one in steps:
        moved = heard(track, one)
        assert moved == track or moved.rank > track.rank
        assert heard(moved, one) == moved
        track = moved


def test_an_upload_that_is_no_longer_the_tracks_is_not_heard() -> None:
    for state in HEARD:
        assert heard(WAITING, step(state, OLD)) == WAITING
        assert heard(NONE, step(state)) == NONE


@given(st.lists(OF_VERSIONS))
def test_of_two_versions_the_first_alone_is_heard(steps: list[Step]) -> None:
    events = [one for one in steps if one.upload_id == NEW.upload_id and one.version_id]
    assert after(events) == after(one for one in events if one.version_id == events[0].version_id)


def test_a_failure_says_why_and_stays_the_first_one() -> None:
    failed = after([Step(NEW.upload_id, TrackState.FAILED, "2", TrackReason.EMPTY), step(TrackState.FAILED, at="3")])
    assert (failed.state, failed.reason, failed.since) == (TrackState.FAILED, TrackReason.EMPTY, "2")


def test_what_is_done_after_all_is_done() -> None:
    done = after([step(TrackState.FAILED), step(TrackState.CHUNKED)])
    assert (done.state, done.reason) == (TrackState.CHUNKED, None)
    assert heard(done, step(TrackState.FAILED)) == done


@given(st.lists(OF_VERSIONS), st.sampled_from(sorted(GIVEN_UP)), OF_VERSIONS)
def test_a_track_that_was_given_up_hears_what_its_upload_would_have_been_heard_with(
    steps: list[Step], reason: TrackReason, late: Step
) -> None:
    track = after(steps)
    expected = heard(of_version(WAITING, track.version_id), late)
    moved = heard(given_up(track, reason, "5"), late)
    if expected.state is TrackState.REQUESTED:
        assert moved == given_up(track, reason, "5"), "it is about another upload or version"
    else:
        assert moved == expected


@pytest.mark.parametrize("reason", sorted(frozenset(TrackReason) - GIVEN_UP))
def test_what_has_failed_by_itself_is_begun_again_only_by_a_person_and_only_where_a_job_failed(
    reason: TrackReason,
) -> None:
    failed = after([Step(NEW.upload_id, TrackState.FAILED, "2", reason)])
    for state in HEARD:
        assert (heard(failed, step(state)) == failed) is (state is not TrackState.CHUNKED)
    begun = heard(failed, replace(step(TrackState.UPLOADED, at="3"), again=True))
    if reason is TrackReason.CHUNKING_FAILED:
        assert (begun.state, begun.reason, begun.since) == (TrackState.UPLOADED, None, "3")
    else:
        assert begun == failed


@pytest.mark.parametrize("state", TrackState)
def test_an_upload_is_asked_for_where_there_is_none_or_none_that_serves(state: TrackState) -> None:
    track = Track(state=state, since="0", upload=OLD)
    taken = state in {TrackState.NONE, TrackState.REQUESTED, TrackState.FAILED}
    asked = Track(state=TrackState.REQUESTED, since="9", upload=NEW)
    assert requested(track, NEW, "9") == (asked if taken else track)


STATUSES = {
    "draft": ["none none"],
    "uploading": ["requested none", "none requested", "requested analyzed"],
    "processing": ["uploaded none", "chunking requested", "chunked analyzing"],
    "ready": ["chunked none", "none analyzed", "chunked analyzed"],
    "failed": ["failed analyzed", "chunking failed"],
}


@pytest.mark.parametrize("expected", EpisodeStatus)
def test_two_tracks_add_up_to_one_status(expected: EpisodeStatus) -> None:
    for states in STATUSES[expected]:
        assert status(*map(TrackState, states.split())) is expected


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(
    moves=st.lists(OF_VERSIONS | DONE_AGAIN | st.sampled_from([OLD, NEW, *sorted(GIVEN_UP)]), min_size=1, max_size=6)
)
def test_the_table_moves_a_track_as_the_logic_does(stage: Stage, moves: list[Step | Upload | TrackReason]) -> None:
    episode = stage.episode()
    track = stage.table.get(ANN, episode).video
    for move in moves:
        before = track
        if isinstance(move, Upload):
            track = requested(before, move, "9")
            try:
                stage.table.request(ANN, episode, TrackKind.VIDEO, move, "9")
            except EpisodeStands:
                assert before.state not in REPLACEABLE
        elif isinstance(move, TrackReason):
            if before.state not in WAITED_FOR:
                continue
            track = given_up(before, move, "9")
            seen = stage.table.get(ANN, episode)
            assert CareTable(stage.dynamodb, TABLE).give_up(seen, TrackKind.VIDEO, move, "9")
        else:
            track = heard(before, move)
            assert stage.table.advance(ANN, episode, TrackKind.VIDEO, move) is stands_at(track, move)
        record = stage.table.get(ANN, episode)
        assert record.video == track
        assert record.transcript.state is TrackState.NONE, "one track is no other's business"
        assert record.version == 1, "a client's changes do not collide with what the tracks do"


@pytest.mark.parametrize(
    ("reason", "again", "moves"),
    [
        (TrackReason.CHUNKING_FAILED, True, True),
        (TrackReason.CHUNKING_FAILED, False, False),
        (TrackReason.TOO_LARGE, True, False),
    ],
)
def test_the_table_has_a_failed_job_done_again_for_a_person_alone(
    stage: Stage, reason: TrackReason, again: bool, moves: bool
) -> None:
    episode = stage.episode()
    stage.table.request(ANN, episode, TrackKind.VIDEO, NEW, "9")
    failed = Step(NEW.upload_id, TrackState.FAILED, "9", reason, "v1")
    assert stage.table.advance(ANN, episode, TrackKind.VIDEO, failed)
    uploaded = Step(NEW.upload_id, TrackState.UPLOADED, "9", None, "v1", again=again)
    assert stage.table.advance(ANN, episode, TrackKind.VIDEO, uploaded) is moves
    assert (stage.table.get(ANN, episode).video.state is TrackState.UPLOADED) is moves


def test_a_track_of_an_episode_that_is_gone_does_not_move(stage: Stage) -> None:
    episode = stage.episode()
    stage.table.request(ANN, episode, TrackKind.VIDEO, NEW, "9")
    uploaded = step(TrackState.UPLOADED)
    assert not stage.table.advance(BOB, episode, TrackKind.VIDEO, uploaded)
    stage.does("deleteEpisode", episode_id=episode)
    assert not stage.table.advance(ANN, episode, TrackKind.VIDEO, uploaded)
    [item] = stage.stored()
    assert item["video"]["M"]["state"] == {"S": "requested"}


def test_a_repeat_is_told_the_same_as_the_first(stage: Stage) -> None:
    episode = stage.episode()
    stage.table.request(ANN, episode, TrackKind.VIDEO, NEW, "9")
    chunking, uploaded = step(TrackState.CHUNKING), step(TrackState.UPLOADED)
    told = [stage.table.advance(ANN, episode, TrackKind.VIDEO, one) for one in (uploaded, uploaded, chunking)]
    assert told == [True, True, True]
    assert not stage.table.advance(ANN, episode, TrackKind.VIDEO, uploaded)


def test_what_else_is_known_is_kept_with_the_track(stage: Stage) -> None:
    episode = stage.episode()
    stage.table.request(ANN, episode, TrackKind.VIDEO, NEW, "9")
    facts = {"chunks": {"prefix": "chunks/", "count": 3}}
    stage.table.advance(ANN, episode, TrackKind.VIDEO, replace(step(TrackState.CHUNKED), facts=facts))
    [item] = stage.stored()
    assert deserialize_item(item)["video"]["chunks"] == facts["chunks"]
    assert stage.table.get(ANN, episode).video.state is TrackState.CHUNKED
