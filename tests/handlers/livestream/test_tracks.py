"""Rules of tracks, the processing states of an episode's video and transcript, as pure functions.

Events report updates of a track in any order and repeatedly. Without an update, the time limit of its state ends.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import combinations, permutations
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.common.ids import timestamp
from handlers.livestream.keys import UploadedObject
from handlers.livestream.tracks import (
    TIMEOUT_REASONS,
    ContentType,
    ExpectedUpload,
    Track,
    TrackReason,
    TrackState,
    advance,
    apply_time_limit,
    episode_status,
    request_upload,
)

START = datetime(2026, 1, 3, 12, tzinfo=UTC)
OLD_UPLOAD, NEW_UPLOAD = (
    ExpectedUpload(upload_id=f"{number:026d}", content_type=ContentType.MP4, size=number) for number in (1, 2)
)


def at(hours: float) -> str:
    return timestamp(START + timedelta(hours=hours))


REQUESTED_TRACK = request_upload(Track(state=TrackState.NONE, since=at(0)), NEW_UPLOAD, at(0))
REPORTED_STATES = (TrackState.UPLOADED, TrackState.CHUNKING, TrackState.FAILED, TrackState.CHUNKED)
"""States of a video that events report, in the order in which a track may pass through them."""
LIMIT_HOURS = {TrackState.REQUESTED: 12, TrackState.UPLOADED: 2, TrackState.CHUNKING: 12, TrackState.ANALYZING: 6}
"""Time limits that docs/livestream.md promises."""


class Update(NamedTuple):
    """State of an upload, as an event reports it."""

    state: TrackState
    upload: ExpectedUpload = NEW_UPLOAD
    hours: float = 1
    version_id: str = "v1"
    restart: bool = False

    def advance(self, track: Track) -> Track | None:
        """Return the track after the update, or None if the track does not accept it."""
        reason = TrackReason.CHUNKING_FAILED if self.state is TrackState.FAILED else None
        upload = UploadedObject("", self.version_id, "", "", self.upload.upload_id)
        return advance(track, upload, self.state, at(self.hours), reason, restart=self.restart)


def apply_all(updates: Iterable[Update]) -> Track:
    track = REQUESTED_TRACK
    for update in updates:
        track = update.advance(track) or track
    return track


UPDATES = st.builds(
    Update,
    st.sampled_from(REPORTED_STATES),
    st.sampled_from([OLD_UPLOAD, NEW_UPLOAD]),
    st.floats(0, 2),
    st.sampled_from(["v1", "v2"]),
    restart=st.just(value=False),
)
"""Updates that arrive before any time limit ends."""


def test_updates_give_the_same_state_in_any_order() -> None:
    for count in range(1, len(REPORTED_STATES) + 1):
        for states in combinations(REPORTED_STATES, count):
            final_states = {apply_all(map(Update, order)).state for order in permutations(states)}
            assert final_states == {states[-1]}, "the state of the highest rank remains"


@given(st.lists(UPDATES, min_size=1))
def test_a_track_only_moves_forward_and_accepts_a_repeated_update_without_a_change(updates: list[Update]) -> None:
    track = REQUESTED_TRACK
    for update in updates:
        advanced = update.advance(track)
        if advanced is None:
            continue
        assert update.advance(advanced) is advanced
        assert (advanced.state, advanced.upload, advanced.version_id) == (
            update.state,
            update.upload,
            update.version_id,
        )
        if advanced is not track:
            order = [TrackState.REQUESTED, *REPORTED_STATES]
            assert order.index(advanced.state) > order.index(track.state)
            assert (advanced.upload, advanced.since) == (NEW_UPLOAD, at(update.hours))
        track = advanced


@given(st.lists(UPDATES))
def test_only_updates_of_the_first_version_count(updates: list[Update]) -> None:
    events = [update for update in updates if update.upload is NEW_UPLOAD]
    assert apply_all(events) == apply_all(update for update in events if update.version_id == events[0].version_id)


@pytest.mark.parametrize("state", TrackState)
def test_only_a_track_that_waits_fails_when_its_time_limit_ends(state: TrackState) -> None:
    track = REQUESTED_TRACK.model_copy(update={"state": state})
    hours = LIMIT_HOURS.get(state)
    if hours is None:
        assert apply_time_limit(track, at(1_000_000)) is track
        return
    assert apply_time_limit(track, at(hours)) is track
    overdue_track = apply_time_limit(track, at(hours + 0.001))
    reason = TrackReason.NEVER_UPLOADED if state is TrackState.REQUESTED else TrackReason.TIMED_OUT
    assert overdue_track == Track(state=TrackState.FAILED, since=at(hours), reason=reason, upload=NEW_UPLOAD)
    assert apply_time_limit(overdue_track, at(1_000_000)) is overdue_track


@given(st.sampled_from(sorted(LIMIT_HOURS)), UPDATES)
def test_a_late_update_advances_an_overdue_track_like_one_whose_upload_was_only_requested(
    state: TrackState, update: Update
) -> None:
    late_update = update._replace(hours=13)
    track = REQUESTED_TRACK.model_copy(update={"state": state})
    expected = late_update.advance(REQUESTED_TRACK.model_copy(update={"since": at(13)}))
    for late_track in (track, apply_time_limit(track, at(13))):
        assert late_update.advance(late_track) == expected


@pytest.mark.parametrize("state", TrackState)
def test_another_upload_can_be_requested_unless_one_is_being_processed_or_has_succeeded(state: TrackState) -> None:
    track = Track(state=state, since=at(0), upload=OLD_UPLOAD)
    requested = Track(state=TrackState.REQUESTED, since=at(1), upload=NEW_UPLOAD)
    accepts_upload = state in {TrackState.NONE, TrackState.REQUESTED, TrackState.FAILED}
    assert request_upload(track, NEW_UPLOAD, at(1)) == (requested if accepts_upload else track)
    overdue = request_upload(track, NEW_UPLOAD, at(13))
    assert (overdue.upload == NEW_UPLOAD) is (accepts_upload or state in LIMIT_HOURS)


@pytest.mark.parametrize("restart", [True, False])
@pytest.mark.parametrize("reason", sorted(frozenset(TrackReason) - TIMEOUT_REASONS))
def test_a_track_is_restarted_only_after_a_failed_job_and_on_request(reason: TrackReason, restart: bool) -> None:
    failed = REQUESTED_TRACK.model_copy(update={"state": TrackState.FAILED, "reason": reason})
    is_restarted = restart and reason is TrackReason.CHUNKING_FAILED
    assert (Update(TrackState.UPLOADED, restart=restart).advance(failed) is not None) is is_restarted


def test_the_states_of_the_video_and_of_the_transcript_give_the_status() -> None:
    states_by_status = {
        "draft": ["none none"],
        "uploading": ["requested none", "none requested", "requested analyzed"],
        "processing": ["uploaded none", "chunking requested", "chunked analyzing"],
        "ready": ["chunked none", "none analyzed", "chunked analyzed"],
        "failed": ["failed analyzed", "chunking failed"],
    }
    for status, both_states in states_by_status.items():
        for states in both_states:
            assert episode_status(*map(TrackState, states.split())) == status
