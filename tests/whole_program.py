"""Previews of the whole program. They are cached, because a run takes seconds and many tests use the same preview.

Tests that use them must be marked with `ONE_WORKER`, so that the program runs once and not once per worker.
"""

import gc
import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from local.preview import preview, program_run, stack_files
from local.preview.preview_provider import PreviewProvider
from local.preview.resource_graph import Graph
from local.preview.stack_files import StackConfig

ONE_WORKER = pytest.mark.xdist_group("whole")
ONE_WORKER_FOR_DOCUMENTS = pytest.mark.xdist_group("graphs")
"""Marker with the same purpose for tests that use the resource graph of the generated documents
(`local/generate/documented_resource_graph.py`)."""
STACKS = stack_files.list_stacks()
SECTIONS = ("ingestion", "transcription", "voiceQa", "livestream", "meetings")
"""Sections of the backends in a stack file."""


@cache
def previewed(stack: str) -> preview.Preview:
    """Return the preview of a stack. It is shared, so tests must copy what they change."""
    result = preview.preview(stack_files.read_stack(stack))
    gc.freeze()  # the collector would scan the preview's objects again and again, and they live to the end
    return result


def graph(stack: str) -> Graph:
    """Return the resources that a stack registers."""
    return previewed(stack).graph


def run_whole_program(config: StackConfig) -> program_run.ProgramRun:
    """Run the program with this configuration. The result is not cached, and no policies are evaluated."""
    return program_run.run_program(config, PreviewProvider(), preview=True)


def change_section(stack: str, section: str, **changes: Any) -> StackConfig:
    """Return a stack's configuration with changes in one section."""
    return change_sections(stack, {section: changes})


def change_sections(stack: str, sections: Mapping[str, Mapping[str, Any]]) -> StackConfig:
    """Return a stack's configuration with changes in several sections."""
    config = stack_files.read_stack(stack)
    values = dict(config.values)
    for section, changes in sections.items():
        key = f"polyphony:{section}"
        values[key] = json.dumps({**json.loads(values[key]), **changes})
    return replace(config, values=values)


def backend_alone(stack: str, section: str, **changes: Any) -> StackConfig:
    """Return a stack's configuration with one backend, and with changes in its section."""
    disabled = {other: {"enabled": False} for other in SECTIONS if other != section}
    return change_sections(stack, {section: changes, **disabled})
