"""Test of the faults that a test switches on in the emulated services."""

from local.emulation.faults import Fault, FaultClient, Faults, serve


def test_a_fault_set_over_the_control_server_happens_as_often_as_requested() -> None:
    faults = Faults()
    with serve(faults) as port:
        client = FaultClient(f"http://127.0.0.1:{port}")
        client.set(Fault.STREAM_DROPPED, 2)
        assert [faults.take(Fault.STREAM_DROPPED) for _ in range(3)] == [True, True, False]
        client.set(Fault.JOB_THROTTLED)
        client.clear()
        assert not any(faults.take(fault) for fault in Fault)
