"""Tracks move on, whatever is heard in whatever order; and the table moves them as the model does."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import permutations, product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlers.common.aws.dynamodb_values import plain
from handlers.livestream.episode_cleanup.cleanup_table import CleanupTable
from handlers.livestream.episode_table import EpisodeConflict
from handlers.livestream.tracks import (
    PROCESSING_STATES,
    REPLACEABLE_STATES,
    TIMEOUT_REASONS,
    ContentType,
    EpisodeStatus,
    ExpectedUpload,
    Track,
    TrackKind,
    TrackReason,
    TrackState,
    TrackUpdate,
    episode_status,
    fail_track,
    is_applied,
)
from tests.handlers.livestream.api_setup import ANN, BOB, TABLE, Stage
from tests.handlers.livestream.track_model import heard, requested

NONE = Track(state=TrackState.NONE, since="0")
OLD, NEW = (ExpectedUpload(upload_id=f"{number:026d}", content_type=ContentType.MP4, size=number) for number in (1, 2))
WAITING = requested(NONE, NEW, "1")
HEARD = (TrackState.UPLOADED, TrackState.CHUNKING, TrackState.FAILED, TrackState.CHUNKED)


def step(state: TrackState, upload: ExpectedUpload = NEW, at: str = "2") -> TrackUpdate:
    reason = TrackReason.CHUNKING_FAILED if state is TrackState.FAILED else None
    return TrackUpdate(upload.upload_id, state, at, reason)


def after(steps: Iterable[TrackUpdate], track: Track = WAITING) -> Track:
    for update in steps:
        track = heard(track, update)
    return track


def of_version(track: Track, version_id: str | None) -> Track:
    return track.model_copy(update={"version_id": version_id})


STEPS = st.builds(step, st.sampled_from(HEARD), st.sampled_from([OLD, NEW]), st.sampled_from("2345"))
WAITED_FOR = PROCESSING_STATES | {TrackState.REQUESTED}
OF_VERSIONS = st.builds(
    lambda one, version: replace(one, version_id=version), STEPS, st.sampled_from(["v1", "v2", None])
)
RESTARTABLE_REASON = st.builds(replace, OF_VERSIONS, restart=st.just(True))


def test_updates_give_the_same_state_in_any_order() -> None:
    for chosen in product([True, False], repeat=len(HEARD)):
        states = [state for state, taken in zip(HEARD, chosen, strict=True) if taken]
        ends = {after(step(state) for state in order).state for order in permutations(states)}
        assert len(ends) == 1


@given(st.lists(OF_VERSIONS, min_size=1))
def test_a_track_never_moves_back_and_ignores_repeated_updates(steps: list[TrackUpdate]) -> None:
    track = WAITING
    for update in steps:
        moved = heard(track, update)
        assert moved == track or moved.rank > track.rank
        assert heard(moved, update) == moved
        track = moved


def test_updates_of_a_replaced_upload_are_ignored() -> None:
    for state in HEARD:
        assert heard(WAITING, step(state, OLD)) == WAITING
        assert heard(NONE, step(state)) == NONE


@given(st.lists(OF_VERSIONS))
def test_only_updates_of_the_first_version_count(steps: list[TrackUpdate]) -> None:
    events = [update for update in steps if update.upload_id == NEW.upload_id and update.version_id]
    assert after(events) == after(update for update in events if update.version_id == events[0].version_id)


def test_the_first_failure_reason_is_kept() -> None:
    failed = after(
        [TrackUpdate(NEW.upload_id, TrackState.FAILED, "2", TrackReason.EMPTY), step(TrackState.FAILED, at="3")]
    )
    assert (failed.state, failed.reason, failed.since) == (TrackState.FAILED, TrackReason.EMPTY, "2")


def test_a_success_after_a_failure_counts() -> None:
    done = after([step(TrackState.FAILED), step(TrackState.CHUNKED)])
    assert (done.state, done.reason) == (TrackState.CHUNKED, None)
    assert heard(done, step(TrackState.FAILED)) == done


@given(st.lists(OF_VERSIONS), st.sampled_from(sorted(TIMEOUT_REASONS)), OF_VERSIONS)
def test_a_timed_out_track_accepts_every_later_update_of_its_upload(
    steps: list[TrackUpdate], reason: TrackReason, late: TrackUpdate
) -> None:
    track = after(steps)
    expected = heard(of_version(WAITING, track.version_id), late)
    moved = heard(fail_track(track, reason, "5"), late)
    if expected.state is TrackState.REQUESTED:
        assert moved == fail_track(track, reason, "5"), "it is about another upload or version"
    else:
        assert moved == expected


@pytest.mark.parametrize("reason", sorted(frozenset(TrackReason) - TIMEOUT_REASONS))
def test_only_an_operator_can_restart_a_failure_and_only_of_a_job(
    reason: TrackReason,
) -> None:
    failed = after([TrackUpdate(NEW.upload_id, TrackState.FAILED, "2", reason)])
    for state in HEARD:
        assert (heard(failed, step(state)) == failed) is (state is not TrackState.CHUNKED)
    begun = heard(failed, replace(step(TrackState.UPLOADED, at="3"), restart=True))
    if reason is TrackReason.CHUNKING_FAILED:
        assert (begun.state, begun.reason, begun.since) == (TrackState.UPLOADED, None, "3")
    else:
        assert begun == failed


@pytest.mark.parametrize("state", TrackState)
def test_an_upload_can_be_requested_unless_one_is_processed_or_complete(state: TrackState) -> None:
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
def test_the_states_of_both_tracks_give_the_status(expected: EpisodeStatus) -> None:
    for states in STATUSES[expected]:
        assert episode_status(*map(TrackState, states.split())) is expected


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(
    moves=st.lists(
        OF_VERSIONS | RESTARTABLE_REASON | st.sampled_from([OLD, NEW, *sorted(TIMEOUT_REASONS)]), min_size=1, max_size=6
    )
)
def test_the_table_moves_a_track_like_the_model(
    stage: Stage, moves: list[TrackUpdate | ExpectedUpload | TrackReason]
) -> None:
    episode = stage.episode()
    track = stage.table.get(ANN, episode).video
    for move in moves:
        before = track
        if isinstance(move, ExpectedUpload):
            track = requested(before, move, "9")
            try:
                stage.table.request_upload(ANN, episode, TrackKind.VIDEO, move, "9")
            except EpisodeConflict:
                assert before.state not in REPLACEABLE_STATES
        elif isinstance(move, TrackReason):
            if before.state not in WAITED_FOR:
                continue
            track = fail_track(before, move, "9")
            seen = stage.table.get(ANN, episode)
            assert CleanupTable(stage.dynamodb, TABLE).fail_track(seen, TrackKind.VIDEO, move, "9")
        else:
            track = heard(before, move)
            assert stage.table.advance_track(ANN, episode, TrackKind.VIDEO, move) is is_applied(track, move)
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
def test_the_table_restarts_a_failed_job_for_an_operator_only(
    stage: Stage, reason: TrackReason, again: bool, moves: bool
) -> None:
    episode = stage.episode()
    stage.table.request_upload(ANN, episode, TrackKind.VIDEO, NEW, "9")
    failed = TrackUpdate(NEW.upload_id, TrackState.FAILED, "9", reason, "v1")
    assert stage.table.advance_track(ANN, episode, TrackKind.VIDEO, failed)
    uploaded = TrackUpdate(NEW.upload_id, TrackState.UPLOADED, "9", None, "v1", restart=again)
    assert stage.table.advance_track(ANN, episode, TrackKind.VIDEO, uploaded) is moves
    assert (stage.table.get(ANN, episode).video.state is TrackState.UPLOADED) is moves


def test_a_track_of_a_deleted_episode_does_not_move(stage: Stage) -> None:
    episode = stage.episode()
    stage.table.request_upload(ANN, episode, TrackKind.VIDEO, NEW, "9")
    uploaded = step(TrackState.UPLOADED)
    assert not stage.table.advance_track(BOB, episode, TrackKind.VIDEO, uploaded)
    stage.does("deleteEpisode", episode_id=episode)
    assert not stage.table.advance_track(ANN, episode, TrackKind.VIDEO, uploaded)
    [item] = stage.stored()
    assert item["video"]["M"]["state"] == {"S": "requested"}


def test_a_repeated_update_gets_the_same_result(stage: Stage) -> None:
    episode = stage.episode()
    stage.table.request_upload(ANN, episode, TrackKind.VIDEO, NEW, "9")
    chunking, uploaded = step(TrackState.CHUNKING), step(TrackState.UPLOADED)
    told = [
        stage.table.advance_track(ANN, episode, TrackKind.VIDEO, update) for update in (uploaded, uploaded, chunking)
    ]
    assert told == [True, True, True]
    assert not stage.table.advance_track(ANN, episode, TrackKind.VIDEO, uploaded)


def test_the_details_of_an_update_are_stored_with_the_track(stage: Stage) -> None:
    episode = stage.episode()
    stage.table.request_upload(ANN, episode, TrackKind.VIDEO, NEW, "9")
    facts = {"chunks": {"prefix": "chunks/", "count": 3}}
    stage.table.advance_track(ANN, episode, TrackKind.VIDEO, replace(step(TrackState.CHUNKED), details=facts))
    [item] = stage.stored()
    assert plain(item)["video"]["chunks"] == facts["chunks"]
    assert stage.table.get(ANN, episode).video.state is TrackState.CHUNKED
