"""Transitions of a file's status: it only moves forward, except by a release and by a redrive.

A release gives up a claim, the reservation of a file for a manifest. A redrive processes a failed manifest again.
"""

from handlers.ingestion.status_transitions import TRANSITIONS, FileStatus, source_statuses

RANK = {
    FileStatus.PENDING: 0,
    FileStatus.CLAIMED: 1,
    FileStatus.MANIFESTED: 2,
    FileStatus.PROCESSED: 3,
    FileStatus.REJECTED: 3,
    FileStatus.SUPERSEDED: 3,
    FileStatus.FAILED: 3,
}
"""Rank of a status. It only grows, except in the transitions of `BACKWARD_TRANSITIONS`."""
BACKWARD_TRANSITIONS = {
    (FileStatus.CLAIMED, FileStatus.PENDING),  # released, because no run has the file
    (FileStatus.FAILED, FileStatus.MANIFESTED),  # redriven
}
FINAL_STATUSES = {FileStatus.PROCESSED, FileStatus.REJECTED, FileStatus.SUPERSEDED}


def test_only_a_release_and_a_redrive_go_back_to_an_earlier_status() -> None:
    transitions = {(source, target) for target in FileStatus for source in source_statuses(target)}
    assert {(source, target) for source, target in transitions if RANK[target] <= RANK[source]} == BACKWARD_TRANSITIONS


def test_every_file_can_reach_a_final_status_and_a_final_status_never_changes() -> None:
    for status in FileStatus:
        assert bool(TRANSITIONS[status]) == (status not in FINAL_STATUSES)
        reachable = {status}
        while new_statuses := {target for source in reachable for target in TRANSITIONS[source]} - reachable:
            reachable |= new_statuses
        assert reachable & FINAL_STATUSES
