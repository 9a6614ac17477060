"""A small source tree of handlers that takes the place of the project's handlers in a test."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from components import handler_archive
from local.platform import watch

SHARED, KEYS = "handlers/common/shared.py", "handlers/meetings/keys.py"
STORAGE, START = "handlers/meetings/storage/handler.py", "handlers/meetings/start/handler.py"
STORAGE_MODULE, START_MODULE = "handlers.meetings.storage.handler", "handlers.meetings.start.handler"
PROMPT = "handlers/meetings/storage/prompts/first.txt"
ENVIRONMENT = "handlers/meetings/storage/environment.py"
HANDLER = "def handler(event, context):\n    return 'first'\n"
FILES = {
    "handlers/__init__.py": "",
    "handlers/common/__init__.py": "",
    SHARED: "LIMIT = 1\n",
    "handlers/meetings/__init__.py": "",
    KEYS: "from handlers.common.shared import LIMIT\n",
    "handlers/meetings/storage/__init__.py": "",
    ENVIRONMENT: "NAMES = ()\n",
    STORAGE: f"from handlers.meetings.keys import LIMIT\nfrom handlers.meetings.storage.environment import NAMES\n{HANDLER}",
    PROMPT: "text",
    "handlers/meetings/start/__init__.py": "",
    START: HANDLER,
}
"""The function `storage` imports the shared module and has an environment and a data file; `start` has neither."""


def write_files(tree: Path, files: Mapping[str, str]) -> None:
    """Write files below the tree's root."""
    for name, text in files.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def use_handler_tree(patch: pytest.MonkeyPatch, tree: Path) -> None:
    """Write the tree, and make program, push and watch use it in place of the project's handlers."""
    write_files(tree, FILES)
    write_archive = handler_archive.write_archive
    patch.setattr(handler_archive, "ROOT", tree)
    patch.setattr(handler_archive, "write_archive", lambda entry_module: tree / write_archive(entry_module))
    patch.setattr(watch, "ROOT", tree)
