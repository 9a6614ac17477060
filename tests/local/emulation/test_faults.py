"""Tests of the faults that a test switches on in the emulated services."""

import pytest

from local.emulation.faults import Fault, FaultClient, Faults, serve


def test_a_fault_set_over_the_control_server_happens_as_often_as_requested() -> None:
    faults = Faults()
    with serve(faults) as port:
        client = FaultClient(f"http://127.0.0.1:{port}")
        client.set(Fault.STREAM_DROPPED, 2)
        client.set(Fault.JOB_BROKEN)
        assert [faults.take(Fault.STREAM_DROPPED), client.take(Fault.STREAM_DROPPED)] == [True, True]
        assert not client.take(Fault.STREAM_DROPPED)
        client.clear()
        assert not any(client.take(fault) for fault in Fault)


def test_the_control_server_refuses_other_routes() -> None:
    with serve(Faults()) as port, pytest.raises(OSError, match="404"):
        FaultClient(f"http://127.0.0.1:{port}/other").clear()
