"""Tracks: updates in any order move a track only forward, and the table moves it like a reference model.

A track is the processing state of an episode's video or transcript. Events about the upload report updates of it. Times
are single digits here, because the code only compares and stores them.
"""

from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import replace
from itertools import combinations, permutations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlers.livestream.episode_cleanup.cleanup_table_gateway import CleanupTable
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
from tests.handlers.livestream.rest_api_harness import ANN, BOB, TABLE, ApiHarness
from tests.handlers.livestream.track_reference_model import apply_update, request_upload

OLD_UPLOAD, NEW_UPLOAD = (
    ExpectedUpload(upload_id=f"{number:026d}", content_type=ContentType.MP4, size=number) for number in (1, 2)
)
REQUESTED_TRACK = request_upload(Track(state=TrackState.NONE, since="0"), NEW_UPLOAD, "1")
REPORTED_STATES = (TrackState.UPLOADED, TrackState.CHUNKING, TrackState.FAILED, TrackState.CHUNKED)
"""States of a video that events report, in the order in which a track may pass through them."""


def make_update(
    state: TrackState, upload: ExpectedUpload = NEW_UPLOAD, at: str = "2", version_id: str | None = None
) -> TrackUpdate:
    reason = TrackReason.CHUNKING_FAILED if state is TrackState.FAILED else None
    return TrackUpdate(upload.upload_id, state, at, reason, version_id)


def apply_all(updates: Iterable[TrackUpdate], track: Track = REQUESTED_TRACK) -> Track:
    for update in updates:
        track = apply_update(track, update)
    return track


UPDATES = st.builds(
    make_update,
    st.sampled_from(REPORTED_STATES),
    st.sampled_from([OLD_UPLOAD, NEW_UPLOAD]),
    st.sampled_from("2345"),
    st.sampled_from(["v1", "v2", None]),
)
RESTARTS = st.builds(replace, UPDATES, restart=st.just(True))
"""Updates with which an operator restarts the processing of a video whose job failed."""


def test_updates_give_the_same_state_in_any_order() -> None:
    for count in range(1, len(REPORTED_STATES) + 1):
        for states in combinations(REPORTED_STATES, count):
            final_states = {apply_all(map(make_update, order)).state for order in permutations(states)}
            assert final_states == {states[-1]}, "the state of the highest rank remains"


@given(st.lists(UPDATES, min_size=1))
def test_a_track_never_moves_back_and_ignores_repeated_updates(updates: list[TrackUpdate]) -> None:
    track = REQUESTED_TRACK
    for update in updates:
        updated_track = apply_update(track, update)
        assert updated_track == track or updated_track.rank > track.rank
        assert apply_update(updated_track, update) == updated_track
        track = updated_track


@given(st.lists(UPDATES))
def test_only_updates_of_the_first_version_count(updates: list[TrackUpdate]) -> None:
    events = [update for update in updates if update.upload_id == NEW_UPLOAD.upload_id and update.version_id]
    assert apply_all(events) == apply_all(update for update in events if update.version_id == events[0].version_id)


@given(st.lists(UPDATES), st.sampled_from(sorted(TIMEOUT_REASONS)), UPDATES)
def test_a_timed_out_track_accepts_every_later_update_of_its_upload(
    updates: list[TrackUpdate], reason: TrackReason, late_update: TrackUpdate
) -> None:
    """The late update has the same effect as on a track whose upload was only requested."""
    track = apply_all(updates)
    timed_out = fail_track(track, reason, "5")
    requested_track = REQUESTED_TRACK.model_copy(update={"version_id": track.version_id})
    expected = apply_update(requested_track, late_update)
    is_ignored = expected == requested_track  # the update concerns another upload or version
    assert apply_update(timed_out, late_update) == (timed_out if is_ignored else expected)


@pytest.mark.parametrize("state", TrackState)
def test_another_upload_can_be_requested_unless_one_is_being_processed_or_has_succeeded(state: TrackState) -> None:
    track = Track(state=state, since="0", upload=OLD_UPLOAD)
    accepts_upload = state in {TrackState.NONE, TrackState.REQUESTED, TrackState.FAILED}
    request = Track(state=TrackState.REQUESTED, since="9", upload=NEW_UPLOAD)
    assert request_upload(track, NEW_UPLOAD, "9") == (request if accepts_upload else track)


TRACK_STATES_BY_STATUS = {
    "draft": ["none none"],
    "uploading": ["requested none", "none requested", "requested analyzed"],
    "processing": ["uploaded none", "chunking requested", "chunked analyzing"],
    "ready": ["chunked none", "none analyzed", "chunked analyzed"],
    "failed": ["failed analyzed", "chunking failed"],
}
"""For each status of an episode, states of its video and of its transcript that give this status."""


@pytest.mark.parametrize("expected", EpisodeStatus)
def test_the_states_of_both_tracks_give_the_status(expected: EpisodeStatus) -> None:
    for states in TRACK_STATES_BY_STATUS[expected]:
        assert episode_status(*map(TrackState, states.split())) is expected


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(
    actions=st.lists(
        UPDATES | RESTARTS | st.sampled_from([OLD_UPLOAD, NEW_UPLOAD, *sorted(TIMEOUT_REASONS)]), min_size=1, max_size=6
    )
)
def test_the_table_moves_a_track_like_the_reference_model(
    harness: ApiHarness, actions: list[TrackUpdate | ExpectedUpload | TrackReason]
) -> None:
    """After each action, the table must have stored the state that the reference model computes.

    An action is an update, a requested upload, or the reason for which an overdue track fails.
    """
    episode = harness.create_episode()
    track = harness.table.get(ANN, episode).video
    for action in actions:
        before = track
        if isinstance(action, ExpectedUpload):
            track = request_upload(before, action, "9")
            with nullcontext() if before.state in REPLACEABLE_STATES else pytest.raises(EpisodeConflict):
                harness.table.request_upload(ANN, episode, TrackKind.VIDEO, action, "9")
        elif isinstance(action, TrackReason):
            if before.state not in PROCESSING_STATES | {TrackState.REQUESTED}:
                continue
            track = fail_track(before, action, "9")
            record = harness.table.get(ANN, episode)
            assert CleanupTable(harness.dynamodb, TABLE).fail_track(record, TrackKind.VIDEO, action, "9")
        else:
            track = apply_update(before, action)
            assert harness.table.advance_track(ANN, episode, TrackKind.VIDEO, action) is is_applied(track, action)
        record = harness.table.get(ANN, episode)
        assert record.video == track
        assert record.transcript.state is TrackState.NONE, "the other track is unchanged"
        assert record.version == 1, "track updates do not change the version"


@pytest.mark.parametrize("restart", [True, False])
@pytest.mark.parametrize("reason", sorted(frozenset(TrackReason) - TIMEOUT_REASONS))
def test_the_table_restarts_a_track_only_after_a_failed_job_and_on_request(
    harness: ApiHarness, reason: TrackReason, restart: bool
) -> None:
    is_restarted = restart and reason is TrackReason.CHUNKING_FAILED
    episode = harness.create_episode()
    harness.table.request_upload(ANN, episode, TrackKind.VIDEO, NEW_UPLOAD, "9")
    failure_update = TrackUpdate(NEW_UPLOAD.upload_id, TrackState.FAILED, "9", reason, "v1")
    assert harness.table.advance_track(ANN, episode, TrackKind.VIDEO, failure_update)
    upload_update = TrackUpdate(NEW_UPLOAD.upload_id, TrackState.UPLOADED, "9", None, "v1", restart=restart)
    assert harness.table.advance_track(ANN, episode, TrackKind.VIDEO, upload_update) is is_restarted
    assert (harness.table.get(ANN, episode).video.state is TrackState.UPLOADED) is is_restarted


def test_a_track_of_a_deleted_episode_does_not_move(harness: ApiHarness) -> None:
    episode = harness.create_episode()
    harness.table.request_upload(ANN, episode, TrackKind.VIDEO, NEW_UPLOAD, "9")
    upload_update = make_update(TrackState.UPLOADED)
    assert not harness.table.advance_track(BOB, episode, TrackKind.VIDEO, upload_update)
    harness.call("deleteEpisode", episode_id=episode)
    assert not harness.table.advance_track(ANN, episode, TrackKind.VIDEO, upload_update)
    [item] = harness.stored_items()
    assert item["video"]["M"]["state"] == {"S": "requested"}
