"""How anything runs as a stack's program."""

import threading

import pytest
from pulumi_aws import sqs

from local.preview import program_run
from local.preview.preview_provider import PreviewProvider
from local.preview.property_values import Props
from local.preview.resource_graph import Resource
from local.preview.stack_files import StackConfig

CONFIG = StackConfig("polyphony", "test", {})


def queues() -> None:
    """The second half waits for the first, in the other order."""
    first = [sqs.Queue(f"first-{number}") for number in range(20)]
    for number, one in enumerate(reversed(first)):
        sqs.Queue(f"second-{number}", policy=one.arn)


def test_a_preview_registers_in_one_thread_and_so_always_in_the_same_order() -> None:
    threads: set[int] = set()

    class Provider(PreviewProvider):
        def make(self, resource: Resource) -> tuple[str, Props]:
            threads.add(threading.get_ident())
            return super().make(resource)

    runs = [program_run.record(queues, CONFIG, Provider(), preview=True) for _ in range(2)]
    assert threads == {threading.get_ident()}
    orders = [[one.name for one in run.graph.customs()] for run in runs]
    assert len(orders[0]) == 40
    assert orders[0] == orders[1]


def test_what_goes_wrong_is_told_to_whoever_waits() -> None:
    done = program_run._SynchronousExecutor().submit(int, "no number")
    with pytest.raises(ValueError, match="no number"):
        done.result()
