"""Messages that name a window of a transcript, and the stored results of windows: their findings or failure.

The fact-check agent analyzes each window (a section of the transcript) separately, and its messages may arrive twice
and in any order. When all windows have a result, the transcript's track (its processing state) becomes `analyzed`, or
`failed` if no window could be analyzed.
"""

from unittest.mock import Mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlers.common import ids
from handlers.livestream.models import Claim, Clip, Verdict
from handlers.livestream.tracks import TrackKind, TrackReason, TrackState
from handlers.livestream.windows import FindingsTable, WindowResult
from tests.handlers.livestream.broadcast import LONG_CUES, Broadcast
from tests.handlers.livestream.harness import TABLE

CLAIM = Claim(claim_id="c0", start_ms=0, end_ms=1, quote="a b", text="c", verdict=Verdict.UNVERIFIED, confidence=0)
CLIP = Clip(clip_id="d0", start_ms=0, end_ms=10_000, title="Ferries")
RESULT = WindowResult(claims=(CLAIM, CLAIM), clips=(CLIP,))
FAILURE = WindowResult(failure="filtered")


def table(broadcast: Broadcast) -> FindingsTable:
    return FindingsTable(broadcast.api.dynamodb, TABLE, ids.now)


def claim(number: int) -> Claim:
    return CLAIM.model_copy(update={"claim_id": f"c{number}", "start_ms": number})


def test_the_first_result_of_a_window_is_kept(broadcast: Broadcast) -> None:
    first, second = broadcast.queue_windows()
    findings = table(broadcast)
    assert not findings.finish_if_done(first)
    findings.save(first, RESULT)
    findings.save(first, FAILURE)
    assert (broadcast.quotes, broadcast.failures) == ([CLAIM.quote] * 2, [None])
    assert (findings.finish_if_done(first), findings.finish_if_done(second)) == (True, False)


def test_the_last_writer_reads_the_results_of_all_others(broadcast: Broadcast, monkeypatch: pytest.MonkeyPatch) -> None:
    """With other reads, two concurrent writers might both miss the other's result, and none would finish."""
    [window] = broadcast.queue_windows(LONG_CUES[:1])
    dynamodb = broadcast.api.dynamodb
    reads = [Mock(wraps=dynamodb.get_item), Mock(wraps=dynamodb.query)]
    for name, read in zip(("get_item", "query"), reads, strict=True):
        monkeypatch.setattr(dynamodb, name, read)
    table(broadcast).finish_if_done(window)
    table(broadcast).save(window, RESULT)
    assert all(read.call_args_list for read in reads)
    assert all(call.kwargs["ConsistentRead"] for read in reads for call in read.call_args_list)


def test_a_page_ends_at_its_limit_within_and_between_windows(broadcast: Broadcast) -> None:
    """The windows are stored in another order than that of their times, and some contain no claim."""
    windows = broadcast.queue_windows(LONG_CUES)
    for window in reversed(windows):
        count = (0, 3, 1)[window.index % 3]
        claims = tuple(claim(10 * window.index + number) for number in range(count))
        table(broadcast).save(window, WindowResult(claims=claims))
    expected = [10 * index + number for index in range(22) for number in range((0, 3, 1)[index % 3])]
    for limit in (5, 28):
        pages = broadcast.api.list_pages("listClaims", "claims", episode_id=broadcast.episode_id, limit=limit)
        assert [listed["startMs"] for page in pages for listed in page] == expected
        assert {len(page) for page in pages[:-1]} <= {limit}
        assert 0 < len(pages[-1]) <= limit


def test_only_findings_of_the_current_upload_are_listed(broadcast: Broadcast) -> None:
    old_windows = broadcast.queue_windows()
    table(broadcast).save(old_windows[0], RESULT)
    cursor = broadcast.api.call("listClaims", episode_id=broadcast.episode_id, limit=1).body["nextCursor"]
    failure = TrackState.FAILED, TrackReason.ANALYSIS_FAILED, TrackKind.TRANSCRIPT
    assert broadcast.api.advance(broadcast.episode_id, broadcast.upload_id, *failure)
    broadcast.request_upload()
    assert (broadcast.list_findings(), broadcast.list_findings("clips")) == ([], [])
    assert table(broadcast).finish_if_done(old_windows[1]), "its findings would not be listed"
    table(broadcast).save(old_windows[1], RESULT)
    [window, _] = broadcast.queue_windows()
    table(broadcast).save(window, WindowResult(claims=(CLAIM,)))
    assert broadcast.quotes == [CLAIM.quote]
    assert broadcast.state == ("analyzing", None), "windows of the earlier upload must not count"
    answer = broadcast.api.call("listClaims", episode_id=broadcast.episode_id, cursor=cursor)
    assert answer.error == (400, "CURSOR_INVALID")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=6, deadline=None)
@given(
    results=st.lists(st.sampled_from([RESULT, FAILURE]), min_size=3, max_size=3) | st.just([FAILURE] * 3),
    data=st.data(),
)
def test_the_last_finished_window_moves_the_track_in_any_order(
    broadcast: Broadcast, results: list[WindowResult], data: st.DataObject
) -> None:
    new_broadcast = Broadcast(broadcast.api)
    windows = new_broadcast.queue_windows(LONG_CUES[:4])
    order = data.draw(st.permutations(list(zip(windows, results, strict=True))))
    repeated = data.draw(st.lists(st.sampled_from(order[:-1]), max_size=3))
    for window, result in [*order[:-1], *repeated]:
        table(broadcast).save(window, result)
        assert new_broadcast.state == ("analyzing", None)
    for window, result in [order[-1], *repeated]:
        table(broadcast).save(window, result)
    all_failed = all(result is FAILURE for result in results)
    assert new_broadcast.state == (("failed", "ANALYSIS_FAILED") if all_failed else ("analyzed", None))
