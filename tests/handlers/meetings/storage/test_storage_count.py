"""What each user has is counted once a day, and told beside the day before; the number of numbers has a bound."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.common.aws.parallel_calls import Parallel
from handlers.common.time_and_ids.ulid import ulid
from handlers.meetings.media_result import MediaOutcome
from handlers.meetings.meeting_store import MeetingStore
from handlers.meetings.metrics import STORAGE_GROWTH, MeetingMetrics
from handlers.meetings.s3_keys import MeetingId, Recording
from handlers.meetings.storage.storage_count import CountOutOfTime, StorageCounter, StorageCountResult
from handlers.meetings.storage.storage_totals import OTHERS, StorageTotals, daily_growth, growth_metrics
from handlers.meetings.storage.unannounced_recordings import NOTIFICATION_GRACE_PERIOD, UnannouncedRecordings
from handlers.meetings.uploaded_recording import UploadedRecordings
from tests.handlers.meetings.meeting_setup import ANN, BOB, BUCKET, CANARY, MEETING, START, Stage

STACK = "dev"
EVE = "E" * 32
DAY = date(2026, 1, 31)


@dataclass
class Counting:
    """Who counts the stage's bucket."""

    stage: Stage
    max_users: int = 20
    budget: timedelta = timedelta(minutes=10)

    def run(self) -> StorageCountResult:
        client: Any = self.stage.told
        return StorageCounter(
            MeetingStore(self.stage.s3, BUCKET),
            MeetingMetrics(client, STACK),
            UnannouncedRecordings(
                self.stage.table, self.stage.starting, clock=lambda: self.stage.now, log=self.stage.log
            ),
            max_users=self.max_users,
            budget=self.budget,
            parallel=Parallel(1),
            clock=lambda: self.stage.now,
            log=self.stage.log,
        ).run()

    def told(self) -> dict[str, float]:
        """The last numbers, by user, and by stack for all of them together."""
        return {
            metric["Dimensions"][-1]["Value"]: metric["Value"]
            for metric in self.stage.told.calls[-1]["MetricData"]
            if metric["MetricName"] == STORAGE_GROWTH
        }


@pytest.fixture
def counting(stage: Stage) -> Counting:
    return Counting(stage)


def has(stage: Stage, user: str, size: int, number: int = 1) -> None:
    """A user gets something everywhere."""
    recording = Recording(MeetingId(user, ulid(START, number)), "0" * 32)
    for key in (
        recording.meeting.upload_key("a"),
        recording.video_key,
        recording.audio_key(0),
        recording.transcript_key,
        recording.summary_key,
    ):
        stage.put(key, b"x" * size)
    stage.put(recording.media_result_key, b"x" * 1000)


def test_a_first_count_tells_nothing_and_the_next_day_what_has_grown(counting: Counting) -> None:
    stage = counting.stage
    has(stage, ANN, 2)
    has(stage, BOB, 1)
    assert counting.run() == StorageCountResult(objects=10, users=2, metrics=0)
    assert stage.told.calls == []
    stage.passes(days=1)
    has(stage, ANN, 3, number=2)
    assert counting.run() == StorageCountResult(objects=15, users=2, metrics=4)
    assert counting.told() == {ANN: 15, BOB: 0, OTHERS: 0, STACK: 15}


def test_what_was_deleted_is_less(counting: Counting) -> None:
    stage = counting.stage
    has(stage, ANN, 2)
    counting.run()
    for one in stage.s3.list_objects_v2(Bucket=BUCKET, Prefix="raw/")["Contents"]:
        stage.s3.delete_object(Bucket=BUCKET, Key=one["Key"])
    stage.passes(days=1)
    counting.run()
    assert counting.told()[ANN] == -2


def test_a_day_is_counted_once(counting: Counting) -> None:
    stage = counting.stage
    has(stage, ANN, 2)
    counting.run()
    stage.passes(days=1)
    counting.run()
    stage.passes(hours=1)
    has(stage, ANN, 9)
    assert counting.run() == StorageCountResult(0, 0, 0)
    assert len(stage.told.calls) == 1


def test_a_day_that_was_left_out_is_shared_out(counting: Counting) -> None:
    stage = counting.stage
    has(stage, ANN, 0)
    counting.run()
    stage.passes(days=3)
    has(stage, ANN, 3)
    counting.run()
    assert counting.told()[ANN] == 5


def test_after_a_week_it_begins_anew(counting: Counting) -> None:
    counting.run()
    counting.stage.passes(days=8)
    has(counting.stage, ANN, 3)
    assert counting.run().metrics == 0


def test_numbers_that_could_not_be_told_are_told_by_the_next_attempt(counting: Counting) -> None:
    stage = counting.stage
    counting.run()
    stage.passes(days=1)
    has(stage, ANN, 1)
    stage.told.failing = RuntimeError(CANARY)
    with pytest.raises(RuntimeError):
        counting.run()
    stage.told.failing = None
    assert counting.run().metrics == 3
    assert counting.told() == {ANN: 5, OTHERS: 0, STACK: 5}


def test_those_who_grew_most_have_a_number_each_and_the_rest_one(counting: Counting) -> None:
    stage = counting.stage
    counting.max_users = 1
    counting.run()
    stage.passes(days=1)
    for user, size in ((ANN, 1), (BOB, 3), (EVE, 2)):
        has(stage, user, size)
    counting.run()
    assert counting.told() == {BOB: 15, OTHERS: 15, STACK: 30}


@pytest.mark.parametrize("key", ["raw/x", f"raw/{ANN}", f"raw/{ANN.lower()}/a", f"video/{ANN}x/a", "audio/../x/a"])
def test_what_is_nobodys_is_counted_with_the_others(counting: Counting, key: str) -> None:
    stage = counting.stage
    counting.run()
    stage.passes(days=1)
    stage.put(key, b"12345")
    counting.run()
    assert counting.told() == {OTHERS: 5, STACK: 5}


def test_a_count_that_does_not_end_is_given_up_and_leaves_nothing(counting: Counting) -> None:
    counting.budget = timedelta(seconds=-1)
    has(counting.stage, ANN, 1)
    with pytest.raises(CountOutOfTime):
        counting.run()
    assert counting.stage.told.calls == []
    assert "Contents" not in counting.stage.s3.list_objects_v2(Bucket=BUCKET, Prefix="work/storage/")


def test_a_count_of_another_edition_is_no_count(counting: Counting) -> None:
    stage = counting.stage
    stage.put("work/storage/2026-01-30.json", b'{"schemaVersion": 2}')
    stage.put(
        "work/storage/2026-01-29.json",
        StorageTotals(day=DAY - timedelta(days=2), bytes_of={ANN: 1}).model_dump_json(by_alias=True).encode(),
    )
    has(stage, ANN, 1)
    counting.run()
    assert counting.told()[ANN] == 2


def test_many_objects_are_all_counted(counting: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = counting.stage
    for number in range(5):
        stage.put(MEETING.upload_key(f"{number}"), b"1")
    listed = stage.s3.get_paginator

    def small(name: str) -> Any:
        made = listed(name)
        paginate = made.paginate
        made.paginate = lambda **asked: paginate(**asked, PaginationConfig={"PageSize": 2})
        return made

    monkeypatch.setattr(stage.s3, "get_paginator", small)
    assert counting.run().objects == 5


def test_a_whole_recording_that_nobody_was_told_of_is_begun_the_next_day(counting: Counting) -> None:
    stage = counting.stage
    stage.uploads(b"a", b"b")
    stage.says(b"a", b"b")
    assert counting.run().started == 0, "its event may still come"
    stage.passes(days=1)
    assert counting.run().started == 1
    assert stage.stands() == ("processing", "media")
    stage.passes(days=1)
    assert counting.run().started == 0
    assert len(stage.workflows.statuses) == 1


def test_what_was_told_is_left_alone(counting: Counting) -> None:
    stage = counting.stage
    recording = stage.whole(b"a")
    assert stage.does("fail", recording)["outcome"] == "failed"
    before = stage.stored()
    stage.passes(days=1)
    assert counting.run().started == 0
    assert stage.stored() == before


def test_a_recording_that_was_announced_again_in_vain_is_begun(counting: Counting) -> None:
    stage = counting.stage
    stage.does("fail", stage.whole(b"a"))
    stage.passes(hours=1)
    stage.says(b"a")
    stage.passes(seconds=NOTIFICATION_GRACE_PERIOD.total_seconds())
    assert counting.run().started == 1


def test_a_sealed_recording_that_nobody_was_told_of_is_looked_at_once(
    counting: Counting, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = counting.stage
    stage.says(b"a")
    with stage.sealed("InvalidObjectState"):
        for _ in range(3):
            stage.passes(days=1)
            counting.run()
    assert stage.stands() == ("failed", "MALFORMED")
    said = capsys.readouterr().out
    assert (said.count("complete_refused"), said.count("recording_unattended")) == (1, 0)


def test_a_recording_whose_event_was_lost_is_begun_though_work_on_the_one_before_goes_on(counting: Counting) -> None:
    stage = counting.stage
    first = stage.whole(b"a")
    stage.passes(minutes=1)
    stage.uploads(b"b")
    second = stage.says(b"b")
    stage.passes(minutes=1)
    stage.makes(first)
    stage.does("media", first)
    assert stage.stands() == ("processing", "transcription")
    stage.passes(days=1)
    assert counting.run().started == 1
    assert (stage.record().content, stage.stands()) == (second.content, ("processing", "media"))


def test_a_list_that_tells_moments_more_exactly_than_an_object_means_the_same_one(
    counting: Counting, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = counting.stage
    stage.whole(b"a")
    stage.passes(days=1)

    def exactly(parsed: dict[str, Any], **_: Any) -> None:
        for one in parsed.get("Contents", ()):
            one["LastModified"] += timedelta(milliseconds=500)

    monkeypatch.setattr(UploadedRecordings, "read_complete_file", lambda *_: 1 / 0)
    stage.s3.meta.events.register("after-call.s3.ListObjectsV2", exactly, unique_id="exactly")
    counting.run()
    stage.s3.meta.events.unregister("after-call.s3.ListObjectsV2", unique_id="exactly")
    assert "recording_unattended" not in capsys.readouterr().out, "it was told of, so it is not looked at"


def test_nonsense_beside_what_something_came_of_rings_no_bell(
    counting: Counting, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = counting.stage
    recording = stage.whole(b"a")
    stage.makes(recording, MediaOutcome.NO_AUDIO)
    stage.does("media", recording)
    stage.passes(minutes=1)
    stage.put(MEETING.upload_key("complete.json"), b"nonsense")
    for _ in range(2):
        stage.passes(days=1)
        assert counting.run().started == 0
    assert "recording_unheard" not in capsys.readouterr().out
    assert stage.stands() == ("ready", "NO_AUDIO")


def test_what_cannot_be_begun_hides_nothing_else_and_is_found_again(
    counting: Counting, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = counting.stage
    for number in (1, 2):
        meeting = MeetingId(ANN, ulid(START, number))
        stage.uploads(b"a", meeting=meeting)
        stage.says(b"a", meeting=meeting)
    stage.passes(hours=2)
    stage.workflows.fates.append("refused")
    assert counting.run().started == 1
    assert "recording_unattended" in capsys.readouterr().out
    stage.passes(days=1)
    stage.sweeps()
    assert {stage.stands(MeetingId(ANN, ulid(START, number))) for number in (1, 2)} == {("processing", "media")}
    assert len(stage.workflows.statuses) == 2


USERS = st.dictionaries(st.sampled_from([ANN, BOB, EVE, OTHERS]), st.integers(0, 10**15))


@given(USERS, USERS, st.integers(0, 4))
def test_no_byte_is_left_out_and_no_number_is_told_twice(before: Any, now: Any, most: int) -> None:
    grown = daily_growth(
        StorageTotals(day=DAY - timedelta(days=1), bytes_of=before), StorageTotals(day=DAY, bytes_of=now)
    )
    told = growth_metrics(grown, most)
    [whole] = [metric for metric in told if metric.user is None]
    users = [metric for metric in told if metric.user is not None]
    assert len(users) == len({user.user for user in users}) <= most + 1
    assert whole.value == sum(user.value for user in users) == sum(now.values()) - sum(before.values())
