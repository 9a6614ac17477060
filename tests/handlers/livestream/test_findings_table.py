"""Storage of findings, which are fact claims and clips, and of the outcome of each window of a transcript.

The fact-check agent analyzes each window (a section of the transcript) separately, and its messages may arrive twice
and in any order. When all windows have an outcome, the transcript's track (its processing state) becomes `analyzed`, or
`failed` if no window could be analyzed. `finish_if_done` returns True if a window need not be analyzed.
"""

from typing import TypeVar

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlers.common.aws import ServiceFailed
from handlers.livestream.api_models import Claim, Clip
from handlers.livestream.fact_check_agent.answer_verification import VerifiedAnswer
from handlers.livestream.fact_check_agent.model_answer import MAX_CLAIMS, MAX_CLIPS
from handlers.livestream.fact_claim_verdict import Verdict
from handlers.livestream.findings_table import WindowFailure
from handlers.livestream.table_item_deletion import ItemsNotDeleted
from handlers.livestream.table_keys import FindingKind
from handlers.livestream.track_processing_states import TrackReason, TrackState
from handlers.livestream.transcript_window_queue import WindowMessage
from tests.handlers.livestream.expected_transcript_harness import CLAIM, CLIP, FINDINGS, Broadcast
from tests.handlers.livestream.rest_api_harness import ANN, ApiHarness

Finding = TypeVar("Finding", Claim, Clip)


@pytest.fixture
def broadcast(harness: ApiHarness) -> Broadcast:
    return Broadcast.with_requested_upload(harness)


def with_changes(finding: Finding, **changes: object) -> Finding:
    return finding.model_copy(update=changes)


def stored_claims(broadcast: Broadcast) -> list[Claim]:
    """Return the stored claims of the episode."""
    page = broadcast.harness.table.list_findings(ANN, broadcast.episode_id, FindingKind.CLAIM, 100, None)
    return [Claim.model_validate(item) for item in page.items]


def test_stored_findings_are_listed_by_the_api(broadcast: Broadcast) -> None:
    empty_fields: dict[str, object] = {"speaker": None, "explanation": None, "sources": ()}
    later_claim = with_changes(CLAIM, claim_id="e" * 32, start_ms=20_000, **empty_fields)
    [window] = broadcast.windows(1)
    broadcast.findings.save_findings(window, VerifiedAnswer(claims=(later_claim, CLAIM), clips=(CLIP,)))
    listed_findings = broadcast.harness.call("listClaims", episode_id=broadcast.episode_id).body["claims"]
    assert [Claim.model_validate(claim) for claim in listed_findings] == [CLAIM, later_claim]
    listed_findings = broadcast.harness.call("listClips", episode_id=broadcast.episode_id).body["clips"]
    assert [Clip.model_validate(clip) for clip in listed_findings] == [CLIP]
    [item] = [item for item in broadcast.harness.stored_items() if item["sk"]["S"].endswith(later_claim.claim_id)]
    assert not {"speaker", "explanation"} & item.keys(), "the item must have no attributes without a value"
    assert (item["sk"]["S"], item["schemaVersion"]) == (f"CLAIM#0000020000#{later_claim.claim_id}", {"N": "1"})


def test_existing_findings_are_never_overwritten(broadcast: Broadcast) -> None:
    first, second = broadcast.windows(2)
    broadcast.findings.save_findings(first, VerifiedAnswer(claims=(CLAIM,)))
    broadcast.findings.save_findings(
        first, VerifiedAnswer(claims=(with_changes(CLAIM, claim_id="e" * 32),), clips=(CLIP,))
    )
    broadcast.findings.save_failure(first, WindowFailure.FILTERED)
    assert broadcast.stored_kinds == ["CLAIM", "WINDOW"], "the first of two answers counts"
    broadcast.findings.save_findings(second, VerifiedAnswer(claims=(with_changes(CLAIM, verdict=Verdict.SUPPORTED),)))
    assert stored_claims(broadcast) == [CLAIM], "a claim that another window found first stays unchanged"
    assert broadcast.track["failedWindows"] == 0


def test_a_window_is_done_when_its_outcome_is_stored(broadcast: Broadcast) -> None:
    first, second = broadcast.windows(2)
    assert not broadcast.findings.finish_if_done(first)
    broadcast.findings.save_findings(first, VerifiedAnswer())
    assert broadcast.findings.finish_if_done(first)
    assert not broadcast.findings.finish_if_done(second)
    assert not broadcast.findings.finish_if_done(broadcast.windows(2, "v2")[0]), "another version is another transcript"
    broadcast.findings.save_failure(second, WindowFailure.FILTERED)
    assert broadcast.findings.finish_if_done(second)
    outcomes = {item["outcome"]["S"] for item in broadcast.harness.stored_items() if "outcome" in item}
    assert outcomes == {"found", "filtered"}


def test_outcome_and_findings_are_stored_together(broadcast: Broadcast, monkeypatch: pytest.MonkeyPatch) -> None:
    [window] = broadcast.windows(1)

    def fail(**_: object) -> object:
        raise ClientError({"Error": {"Code": "ThrottlingException", "Message": ""}}, "TransactWriteItems")

    with monkeypatch.context() as patched:
        patched.setattr(broadcast.harness.dynamodb, "transact_write_items", fail)
        with pytest.raises(ClientError):
            broadcast.findings.save_findings(window, FINDINGS)
    assert (broadcast.findings.finish_if_done(window), broadcast.stored_sort_keys) == (False, [])
    broadcast.findings.save_findings(window, FINDINGS)
    assert broadcast.stored_kinds == ["CLAIM", "CLIP", "WINDOW"]


def test_the_largest_answer_fits_into_one_transaction(broadcast: Broadcast) -> None:
    largest = VerifiedAnswer(
        claims=tuple(with_changes(CLAIM, claim_id=f"{number:032}") for number in range(MAX_CLAIMS)),
        clips=tuple(with_changes(CLIP, clip_id=f"{number:032}") for number in range(MAX_CLIPS)),
    )
    [window] = broadcast.windows(1)
    broadcast.findings.save_findings(window, largest)
    assert len(broadcast.stored_sort_keys) == MAX_CLAIMS + MAX_CLIPS + 1


@pytest.mark.parametrize(
    ("reasons", "is_transient"),
    [
        (["None", "TransactionConflict", "None"], True),
        (["ThrottlingError", "None", "TransactionConflict"], True),
        (["None", "ValidationError", "None"], False),
    ],
)
def test_a_transaction_cancelled_by_conflicts_or_throttling_is_a_transient_error(
    broadcast: Broadcast, monkeypatch: pytest.MonkeyPatch, reasons: list[str], *, is_transient: bool
) -> None:
    dynamodb = broadcast.harness.dynamodb

    def cancel(**_: object) -> object:
        response = {
            "Error": {"Code": "TransactionCanceledException", "Message": "canary"},
            "CancellationReasons": [{"Code": reason} for reason in reasons],
        }
        raise dynamodb.exceptions.TransactionCanceledException(response, "TransactWriteItems")

    monkeypatch.setattr(dynamodb, "transact_write_items", cancel)
    with pytest.raises(ServiceFailed if is_transient else ClientError):
        broadcast.findings.save_findings(broadcast.windows(1)[0], FINDINGS)
    assert broadcast.stored_sort_keys == []


def store_outcome(broadcast: Broadcast, window: WindowMessage, failure: WindowFailure | None) -> None:
    if failure is None:
        broadcast.findings.save_findings(window, VerifiedAnswer())
    else:
        broadcast.findings.save_failure(window, failure)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=6, deadline=None)
@given(failures=st.lists(st.none() | st.sampled_from(WindowFailure), min_size=1, max_size=6), data=st.data())
def test_the_last_finished_window_moves_the_track_in_any_order(
    harness: ApiHarness, failures: list[WindowFailure | None], data: st.DataObject
) -> None:
    broadcast = Broadcast.with_requested_upload(harness)
    broadcast.advance(TrackState.ANALYZING)
    windows = broadcast.windows(len(failures))
    outcomes = data.draw(st.permutations(list(zip(windows, failures, strict=True))))
    repeated_outcomes = data.draw(st.lists(st.sampled_from(outcomes), max_size=3))
    *earlier_outcomes, last_outcome = outcomes
    for window, failure in [*earlier_outcomes, *(outcome for outcome in repeated_outcomes if outcome != last_outcome)]:
        store_outcome(broadcast, window, failure)
        assert broadcast.track["state"] == "analyzing"
    for window, failure in (last_outcome, *repeated_outcomes):
        store_outcome(broadcast, window, failure)
    track, failed_count = broadcast.track, sum(failure is not None for failure in failures)
    all_failed = failed_count == len(failures)
    expected = ("failed", TrackReason.ANALYSIS_FAILED) if all_failed else ("analyzed", None)
    assert (track["state"], track.get("reason")) == expected
    assert (track["windows"], track["failedWindows"]) == (len(failures), failed_count)


def test_windows_of_another_transcript_version_do_not_count(broadcast: Broadcast) -> None:
    broadcast.findings.save_findings(broadcast.windows(2, "v1")[0], VerifiedAnswer())
    broadcast.findings.save_findings(broadcast.windows(2, "v2")[1], VerifiedAnswer())
    assert broadcast.track["state"] == "requested"


def limit_query_pages(broadcast: Broadcast, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make each page of a query contain at most two items."""
    call = broadcast.harness.dynamodb._make_api_call

    def call_with_limit(name: str, request: dict[str, object]) -> object:
        return call(name, {**request, "Limit": 2} if name == "Query" else request)

    monkeypatch.setattr(broadcast.harness.dynamodb, "_make_api_call", call_with_limit)


def test_outcomes_are_counted_over_all_query_pages(broadcast: Broadcast, monkeypatch: pytest.MonkeyPatch) -> None:
    limit_query_pages(broadcast, monkeypatch)
    for window in broadcast.windows(5):
        broadcast.findings.save_findings(window, VerifiedAnswer())
    assert (broadcast.track["state"], broadcast.track["windows"]) == ("analyzed", 5)


def test_a_repeated_message_moves_the_track_if_the_first_invocation_crashed_before_that(
    broadcast: Broadcast, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = broadcast.windows(2)
    broadcast.findings.save_findings(first, VerifiedAnswer())
    with monkeypatch.context() as patched:
        # The call of None raises a TypeError, which ends the invocation before the track is updated.
        patched.setattr(broadcast.harness.dynamodb, "update_item", None)
        with pytest.raises(TypeError):
            broadcast.findings.save_findings(second, VerifiedAnswer())
    assert broadcast.track["state"] == "requested"
    assert broadcast.findings.finish_if_done(second)
    assert broadcast.track["state"] == "analyzed"


def test_nothing_is_stored_for_a_deleted_episode(broadcast: Broadcast) -> None:
    first, second = broadcast.windows(2)
    broadcast.harness.call("deleteEpisode", episode_id=broadcast.episode_id)
    broadcast.findings.save_findings(first, FINDINGS)
    broadcast.findings.save_failure(second, WindowFailure.TRANSCRIPT_GONE)
    assert broadcast.stored_sort_keys == []
    assert broadcast.findings.finish_if_done(first), (
        "the window must not be analyzed, because its findings would not be stored"
    )


def test_nothing_is_stored_for_a_replaced_transcript(broadcast: Broadcast) -> None:
    first, second = broadcast.windows(2)
    broadcast.findings.save_failure(first, WindowFailure.UNUSABLE_ANSWER)
    broadcast.request_newer_upload()
    broadcast.findings.save_findings(second, FINDINGS)
    assert broadcast.stored_kinds == ["WINDOW"]
    assert broadcast.findings.finish_if_done(second)
    assert broadcast.track["state"] == "requested"


def test_all_findings_of_an_earlier_upload_are_deleted(broadcast: Broadcast, monkeypatch: pytest.MonkeyPatch) -> None:
    claims = tuple(with_changes(CLAIM, claim_id=f"{number:032}") for number in range(30))
    broadcast.findings.save_findings(broadcast.windows(2)[0], VerifiedAnswer(claims=claims, clips=(CLIP,)))
    other_broadcast = Broadcast.with_requested_upload(broadcast.harness)
    other_broadcast.findings.save_findings(other_broadcast.windows(2)[0], FINDINGS)
    newer_id = broadcast.request_newer_upload()
    limit_query_pages(broadcast, monkeypatch)
    assert broadcast.findings.delete_older_findings(ANN, broadcast.episode_id, newer_id) == 31
    assert broadcast.stored_kinds == ["WINDOW"]
    assert other_broadcast.stored_kinds == ["CLAIM", "CLIP", "WINDOW"]


def test_findings_of_the_same_or_a_later_upload_are_kept(broadcast: Broadcast) -> None:
    earlier_id = broadcast.upload_id
    broadcast.upload_id = broadcast.request_newer_upload()
    broadcast.findings.save_findings(broadcast.windows(2)[0], FINDINGS)
    for upload_id in (broadcast.upload_id, earlier_id):
        assert broadcast.findings.delete_older_findings(ANN, broadcast.episode_id, upload_id) == 0
    assert broadcast.stored_kinds == ["CLAIM", "CLIP", "WINDOW"]


def test_an_incomplete_deletion_raises_an_error(broadcast: Broadcast, monkeypatch: pytest.MonkeyPatch) -> None:
    broadcast.findings.save_findings(broadcast.windows(2)[0], FINDINGS)
    newer_id = broadcast.request_newer_upload()
    with monkeypatch.context() as patched:
        patched.setattr(broadcast.harness.dynamodb, "batch_write_item", lambda **_: {"UnprocessedItems": {"t": [{}]}})
        with pytest.raises(ItemsNotDeleted):
            broadcast.findings.delete_older_findings(ANN, broadcast.episode_id, newer_id)
    assert broadcast.findings.delete_older_findings(ANN, broadcast.episode_id, newer_id) == 2


def test_findings_written_while_a_new_upload_is_requested_are_removed(
    broadcast: Broadcast, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = broadcast.harness.dynamodb.transact_write_items

    def write_after_new_request(**request: object) -> object:
        # Between two calls for the old window, a newer upload is requested and its distribution deletes older findings.
        newer_id = broadcast.request_newer_upload()
        broadcast.findings.delete_older_findings(ANN, broadcast.episode_id, newer_id)
        return write(**request)

    monkeypatch.setattr(broadcast.harness.dynamodb, "transact_write_items", write_after_new_request)
    broadcast.findings.save_findings(broadcast.windows(1)[0], FINDINGS)
    assert broadcast.stored_sort_keys == []
    assert broadcast.track["state"] == "requested"
