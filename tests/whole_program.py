"""The whole program of a stack, previewed once: a run of it takes seconds, and many tests look at the same one.

Whoever uses it marks its tests with `ONE_WORKER`, so that it is run once, not once a worker.
"""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest

from local.preview import preview, program_run, stack_files
from local.preview.preview_provider import PreviewProvider
from local.preview.resource_graph import Graph
from local.preview.stack_files import StackConfig

ONE_WORKER = pytest.mark.xdist_group("whole")
DOCUMENTED = pytest.mark.xdist_group("graphs")
"""The same for tests of the graphs that pages are made of (`local/generate/documented_graph.py`)."""
STACKS = stack_files.stacks()


@cache
def previewed(stack: str) -> preview.Preview:
    """What a preview of it finds. Copy what you change."""
    return preview.preview(stack_files.read(stack))


def graph(stack: str) -> Graph:
    """What it registers."""
    return previewed(stack).graph


def recorded(config: StackConfig) -> program_run.Run:
    """A run of other settings, unjudged."""
    return program_run.run(config, PreviewProvider(), preview=True)


def changed(stack: str, section: str, **changes: Any) -> StackConfig:
    """A stack's settings with some of one section replaced."""
    return changed_in(stack, {section: changes})


def changed_in(stack: str, sections: Mapping[str, Mapping[str, Any]]) -> StackConfig:
    """The same of several sections."""
    config = stack_files.read(stack)
    values = dict(config.values)
    for section, changes in sections.items():
        key = f"polyphony:{section}"
        values[key] = json.dumps({**json.loads(values[key]), **changes})
    return StackConfig(config.project, stack, values)


def ingestion_alone(stack: str = "dev", **changes: Any) -> StackConfig:
    """A small stack: all other subsystems are off. Changes are to the foundation's settings."""
    off = {name: {"enabled": False} for name in ("transcription", "voiceQa", "livestream", "meetings")}
    return changed_in(stack, {"foundation": changes, **off})
