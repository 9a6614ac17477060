"""Tests of the daily storage count: the growth of each user's storage, the limit of metrics, and uploaded recordings
whose S3 event was lost.

Two log events raise an alarm: `recording_unheard` (the event of a `complete.json` was lost, and the count processed the
file) and `recording_unattended` (processing such a file failed).
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.common.aws.parallel_calls import ParallelCalls
from handlers.common.time_and_ids.ulid import ulid
from handlers.meetings.meeting_bucket import MeetingBucket
from handlers.meetings.metrics import STORAGE_GROWTH, MeetingMetrics
from handlers.meetings.s3_keys import MeetingId, Recording
from handlers.meetings.storage.daily_storage_metrics import (
    OTHERS,
    CountOutOfTime,
    StorageCounter,
    StorageCountResult,
    StorageTotals,
    daily_growth,
    growth_metrics,
)
from handlers.meetings.storage.lost_upload_events import NOTIFICATION_GRACE_PERIOD, LostUploadEvents
from handlers.meetings.upload_reader import UploadReader
from tests.handlers.client_events import at_event
from tests.handlers.meetings.meeting_harness import ANN, BOB, BUCKET, CANARY, MEETING, START, MeetingHarness

STACK = "dev"
EVE = "E" * 32
DAY = date(2026, 1, 31)


@dataclass
class CountHarness:
    """The daily storage count for the bucket of a meeting harness. A test can change its limits."""

    meetings: MeetingHarness
    max_users_with_metric: int = 20
    budget: timedelta = timedelta(minutes=10)

    def run(self) -> StorageCountResult:
        client: Any = self.meetings.cloudwatch
        return StorageCounter(
            MeetingBucket(self.meetings.s3, BUCKET),
            MeetingMetrics(client, STACK),
            LostUploadEvents(
                self.meetings.table,
                self.meetings.upload_processor,
                clock=lambda: self.meetings.now,
                log=self.meetings.log,
            ),
            max_users_with_metric=self.max_users_with_metric,
            budget=self.budget,
            parallel=ParallelCalls(1),
            clock=lambda: self.meetings.now,
            log=self.meetings.log,
        ).run()

    def growth_by_user(self) -> dict[str, float]:
        """Return the growth values that were sent last, by user.

        The key of the total is the stack, and `OTHERS` is the key of all users without a metric of their own.
        """
        return {
            metric["Dimensions"][-1]["Value"]: metric["Value"]
            for metric in self.meetings.cloudwatch.calls[-1]["MetricData"]
            if metric["MetricName"] == STORAGE_GROWTH
        }


@pytest.fixture
def count(harness: MeetingHarness) -> CountHarness:
    return CountHarness(harness)


def put_recording(harness: MeetingHarness, user: str, object_size: int, number: int = 1) -> None:
    """Store a recording with five objects of the same size, and an internal file of the media job, which is not
    counted.
    """
    recording = Recording(MeetingId(user, ulid(START, number)), "0" * 32)
    for key in (
        recording.meeting.upload_key("a"),
        recording.video_key,
        recording.audio_key(0),
        recording.transcript_key,
        recording.summary_key,
    ):
        harness.put_object(key, b"x" * object_size)
    harness.put_object(recording.media_result_key, b"x" * 1000)


def test_the_first_count_sends_no_metric_and_the_next_one_sends_the_growth(count: CountHarness) -> None:
    harness = count.meetings
    put_recording(harness, ANN, 2)
    put_recording(harness, BOB, 1)
    assert count.run() == StorageCountResult(objects=10, users=2, metrics=0)
    assert harness.cloudwatch.calls == []
    harness.advance(days=1)
    put_recording(harness, ANN, 3, number=2)
    assert count.run() == StorageCountResult(objects=15, users=2, metrics=4)
    assert count.growth_by_user() == {ANN: 15, BOB: 0, OTHERS: 0, STACK: 15}


def test_a_second_count_on_the_same_day_does_nothing(count: CountHarness) -> None:
    harness = count.meetings
    put_recording(harness, ANN, 2)
    count.run()
    harness.advance(days=1)
    count.run()
    harness.advance(hours=1)
    put_recording(harness, ANN, 9)
    assert count.run() == StorageCountResult(0, 0, 0)
    assert len(harness.cloudwatch.calls) == 1


@pytest.mark.parametrize(
    ("earlier_bytes", "bytes_now", "days", "growth"),
    [
        pytest.param({ANN: 5}, {ANN: 3}, 1, {ANN: -2}, id="some objects were deleted"),
        pytest.param({ANN: 5}, {}, 1, {ANN: -5}, id="all objects were deleted"),
        pytest.param({}, {ANN: 15}, 3, {ANN: 5}, id="the last count is three days old"),
    ],
)
def test_growth_is_the_difference_per_day(
    earlier_bytes: dict[str, int], bytes_now: dict[str, int], days: int, growth: dict[str, int]
) -> None:
    earlier = StorageTotals(day=DAY - timedelta(days=days), bytes_of=earlier_bytes)
    assert daily_growth(earlier, StorageTotals(day=DAY, bytes_of=bytes_now)) == growth


def test_a_count_older_than_a_week_is_not_compared(count: CountHarness) -> None:
    count.run()
    count.meetings.advance(days=8)
    put_recording(count.meetings, ANN, 3)
    assert count.run().metrics == 0


def test_a_count_whose_metrics_failed_is_repeated(count: CountHarness) -> None:
    harness = count.meetings
    count.run()
    harness.advance(days=1)
    put_recording(harness, ANN, 1)
    harness.cloudwatch.error = RuntimeError(CANARY)
    with pytest.raises(RuntimeError):
        count.run()
    harness.cloudwatch.error = None
    assert count.run().metrics == 3
    assert count.growth_by_user() == {ANN: 5, OTHERS: 0, STACK: 5}


def test_only_the_users_who_grew_most_have_a_metric_of_their_own(count: CountHarness) -> None:
    harness = count.meetings
    count.max_users_with_metric = 1
    count.run()
    harness.advance(days=1)
    for user, size in ((ANN, 1), (BOB, 3), (EVE, 2)):
        put_recording(harness, user, size)
    count.run()
    assert count.growth_by_user() == {BOB: 15, OTHERS: 15, STACK: 30}


def test_objects_whose_key_names_no_user_are_counted_as_growth_of_others(count: CountHarness) -> None:
    harness = count.meetings
    count.run()
    harness.advance(days=1)
    for key in ("raw/x", f"raw/{ANN}", f"raw/{ANN.lower()}/a", f"video/{ANN}x/a", "audio/../x/a"):
        harness.put_object(key, b"12345")
    count.run()
    assert count.growth_by_user() == {OTHERS: 25, STACK: 25}


def test_a_count_that_runs_out_of_time_sends_and_stores_nothing(count: CountHarness) -> None:
    count.budget = timedelta(seconds=-1)
    put_recording(count.meetings, ANN, 1)
    with pytest.raises(CountOutOfTime):
        count.run()
    assert count.meetings.cloudwatch.calls == []
    assert "Contents" not in count.meetings.s3.list_objects_v2(Bucket=BUCKET, Prefix="work/storage/")


def test_a_count_of_another_schema_version_is_ignored(count: CountHarness) -> None:
    harness = count.meetings
    harness.put_object("work/storage/2026-01-30.json", b'{"schemaVersion": 2}')
    harness.put_object(
        "work/storage/2026-01-29.json",
        StorageTotals(day=DAY - timedelta(days=2), bytes_of={ANN: 1}).model_dump_json(by_alias=True).encode(),
    )
    put_recording(harness, ANN, 1)
    count.run()
    assert count.growth_by_user()[ANN] == 2, "from 1 byte to 5 bytes in two days"


def test_objects_on_all_pages_are_counted(count: CountHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        count.meetings.put_object(MEETING.upload_key(f"{number}"), b"1")
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "2")
    assert count.run().objects == 5


def test_logs_contain_no_keys_and_no_users(count: CountHarness, capsys: pytest.CaptureFixture[str]) -> None:
    put_recording(count.meetings, BOB, 1)
    count.meetings.put_object(f"raw/{CANARY}", b"1")
    count.meetings.upload_recording_without_event(b"a")
    count.meetings.advance(days=1)
    assert count.run() == StorageCountResult(objects=8, users=3, metrics=0, started=1), "BOB, `OTHERS` and ANN"
    output = capsys.readouterr().out
    assert "storage_counted" in output
    for secret in (CANARY, ANN, BOB, MEETING.meeting_id):
        assert secret not in output


def test_a_recording_whose_upload_event_was_lost_is_processed_the_next_day(count: CountHarness) -> None:
    harness = count.meetings
    harness.upload_recording_without_event(b"a", b"b")
    assert count.run().started == 0, "its event may still arrive"
    harness.advance(days=1)
    assert count.run().started == 1
    assert harness.state() == ("processing", "media")
    harness.advance(days=1)
    assert count.run().started == 0
    assert len(harness.step_functions.statuses) == 1


def test_an_unreadable_complete_json_whose_event_was_lost_is_processed_once(
    count: CountHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    harness = count.meetings
    harness.upload_complete_json_without_event(b"a")
    with harness.fail_complete_json_reads("InvalidObjectState"):
        for _ in range(3):
            harness.advance(days=1)
            count.run()
    assert harness.state() == ("failed", "MALFORMED")
    output = capsys.readouterr().out
    assert output.count("complete_refused") == 1, "the file must be refused once, and not each day"
    assert "recording_unattended" not in output, "the processing of the file must not fail"


def test_a_recording_whose_upload_event_was_lost_is_processed_although_an_older_one_is_in_progress(
    count: CountHarness,
) -> None:
    harness = count.meetings
    older_recording = harness.upload_recording(b"a")
    harness.advance(minutes=1)
    newer_file = harness.upload_recording_without_event(b"b")
    harness.advance(minutes=1)
    harness.write_media_result(older_recording)
    harness.run_step("media", older_recording)
    assert harness.state() == ("processing", "transcription")
    harness.now += NOTIFICATION_GRACE_PERIOD
    assert count.run().started == 1
    assert (harness.record().content, harness.state()) == (newer_file.content, ("processing", "media"))


def test_an_incomplete_recording_whose_event_was_lost_raises_an_alarm(
    count: CountHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    count.meetings.upload_complete_json_without_event(b"a")
    count.meetings.advance(days=1)
    assert count.run().started == 0
    assert count.meetings.state() == ("incomplete",)
    assert "recording_unheard" in capsys.readouterr().out


def test_a_recording_whose_event_arrived_is_not_processed_again(
    count: CountHarness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The count compares the modification time of the file in a listing with the recorded time of the processed file.
    Only a listing states milliseconds.
    """
    harness = count.meetings
    harness.upload_recording(b"a")
    harness.advance(days=1)

    def add_milliseconds(parsed: dict[str, Any], **_: Any) -> None:
        for item in parsed.get("Contents", ()):
            item["LastModified"] += timedelta(milliseconds=500)

    # The count must not read the file. If it did, the read would fail and be logged as `recording_unattended`.
    monkeypatch.setattr(UploadReader, "read_complete_file", lambda *_: 1 / 0)
    with at_event(harness.s3, "after-call.s3.ListObjectsV2", add_milliseconds):
        count.run()
    assert "recording_unattended" not in capsys.readouterr().out


def test_a_malformed_file_for_a_ready_meeting_raises_no_alarm(
    count: CountHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    harness = count.meetings
    recording = harness.upload_recording(b"a")
    harness.finish_without_audio(recording)
    harness.advance(minutes=1)
    harness.put_object(MEETING.upload_key("complete.json"), b"nonsense")
    for _ in range(2):
        harness.advance(days=1)
        assert count.run().started == 0
    assert "recording_unheard" not in capsys.readouterr().out
    assert harness.state() == ("ready", "NO_AUDIO")


def test_a_failed_start_does_not_stop_the_count_and_is_repeated_by_the_sweep(
    count: CountHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    harness = count.meetings
    meetings = [MeetingId(ANN, ulid(START, number)) for number in (1, 2)]
    for meeting in meetings:
        harness.upload_recording_without_event(b"a", meeting=meeting)
    harness.advance(hours=2)
    harness.step_functions.next_starts.append("rejected")
    assert count.run().started == 1
    assert "recording_unattended" in capsys.readouterr().out
    harness.advance(days=1)
    harness.sweep()
    assert {harness.state(meeting) for meeting in meetings} == {("processing", "media")}
    assert len(harness.step_functions.statuses) == 2


BYTES_BY_USER = st.dictionaries(st.sampled_from([ANN, BOB, EVE, OTHERS]), st.integers(0, 10**15))


@given(BYTES_BY_USER, BYTES_BY_USER, st.integers(0, 4))
def test_the_metrics_of_all_users_add_up_to_the_total(earlier_bytes: Any, bytes_now: Any, max_users: int) -> None:
    earlier = StorageTotals(day=DAY - timedelta(days=1), bytes_of=earlier_bytes)
    growth = daily_growth(earlier, StorageTotals(day=DAY, bytes_of=bytes_now))
    metrics = growth_metrics(growth, max_users)
    [total] = [metric.value for metric in metrics if metric.user is None]
    values_by_user = [(metric.user, metric.value) for metric in metrics if metric.user is not None]
    assert len(values_by_user) == len(dict(values_by_user)) <= max_users + 1, "the other users share one metric"
    assert total == sum(value for _, value in values_by_user) == sum(bytes_now.values()) - sum(earlier_bytes.values())
