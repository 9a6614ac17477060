"""States only move forward, but for a release and a redrive."""

from hypothesis import given
from hypothesis import strategies as st

from handlers.ingestion.states import MOVES, FileStatus, sources

RANK = {
    FileStatus.PENDING: 0,
    FileStatus.CLAIMED: 1,
    FileStatus.MANIFESTED: 2,
    FileStatus.PROCESSED: 3,
    FileStatus.REJECTED: 3,
    FileStatus.SUPERSEDED: 3,
    FileStatus.FAILED: 3,
}
"""A file's rank only grows, but for the two moves below."""
BACK = {
    (FileStatus.CLAIMED, FileStatus.PENDING),  # released: no run has it
    (FileStatus.FAILED, FileStatus.MANIFESTED),  # redriven
}
STATUS = st.sampled_from(FileStatus)


@given(st.lists(STATUS, min_size=1, max_size=30))
def test_no_walk_along_the_moves_ever_loses_rank_but_by_release_or_redrive(wishes: list[FileStatus]) -> None:
    status = FileStatus.PENDING
    for wish in wishes:
        if wish in MOVES[status]:
            assert RANK[wish] > RANK[status] or (status, wish) in BACK
            status = wish


@given(STATUS, STATUS)
def test_sources_are_the_moves_read_backwards(one: FileStatus, other: FileStatus) -> None:
    assert (one in sources(other)) == (other in MOVES[one])


@given(STATUS)
def test_what_is_processed_rejected_or_superseded_never_moves_again(status: FileStatus) -> None:
    final = {FileStatus.PROCESSED, FileStatus.REJECTED, FileStatus.SUPERSEDED}
    assert bool(MOVES[status]) == (status not in final)


def test_only_a_release_and_a_redrive_go_back() -> None:
    back = {(one, other) for one in FileStatus for other in MOVES[one] if RANK[other] <= RANK[one]}
    assert back == BACK


def test_every_file_can_come_to_an_end() -> None:
    for status in FileStatus:
        reached = {status}
        while more := {other for one in reached for other in MOVES[one]} - reached:
            reached |= more
        assert RANK[max(reached, key=RANK.__getitem__)] == 3
