"""Tests of running a function as the Pulumi program of a stack, without the Pulumi CLI."""

import threading

import pulumi
from pulumi_aws import sqs

from local.preview import program_run
from local.preview.preview_provider import PreviewProvider
from local.preview.resource_graph import Resource
from local.preview.stack_files import StackConfig
from local.property_values import Props

CONFIG = StackConfig("polyphony", "test", {})


def create_queues() -> None:
    """Create queues, of which the second half depends on the first half in reverse order."""
    first = [sqs.Queue(f"first-{number}") for number in range(20)]
    for number, queue in enumerate(reversed(first)):
        sqs.Queue(f"second-{number}", policy=queue.arn)


def test_a_preview_registers_resources_in_one_thread_and_in_a_stable_order() -> None:
    threads: set[int] = set()

    class Provider(PreviewProvider):
        def make(self, resource: Resource) -> tuple[str, Props]:
            threads.add(threading.get_ident())
            return super().make(resource)

    runs = [program_run.run_function(create_queues, CONFIG, Provider(), preview=True) for _ in range(2)]
    assert threads == {threading.get_ident()}
    orders = [[item.name for item in run.graph.customs()] for run in runs]
    assert len(orders[0]) == 40
    assert orders[0] == orders[1]


def test_warnings_and_errors_of_the_program_are_kept_and_its_other_messages_are_not() -> None:
    def program() -> None:
        pulumi.log.info("created")
        pulumi.log.warn("no budget")

    run = program_run.run_function(program, CONFIG, PreviewProvider(), preview=True)
    assert run.messages == ("no budget",)
