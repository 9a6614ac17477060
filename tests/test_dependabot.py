"""Tests of Dependabot's configuration: it covers every pinned action, Python lock file and base image of a container.

The rules for files are those of Dependabot: "Dependabot options reference" in GitHub's documentation, and the file
fetchers for Python and Docker in the repository dependabot-core.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from local import ROOT
from tests.test_workflows import schema

DOCUMENT: dict[str, Any] = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text())
MAX_LOCK_BYTES = 500_000
"""Dependabot silently ignores larger requirement files."""
_DOCKERFILE = re.compile(r"([\w-]+\.)?(Dockerfile|Containerfile)(?!\.dockerignore$)([.-][\w.-]+)?", re.IGNORECASE)
_REQUIREMENT = re.compile(r"[A-Za-z0-9][\w.-]*(\[[\w.,\s-]+\])?\s*([=<>!~][\w.*\s,=<>!~]*)?(\s*;[^#]+)?\s*\\?(\s*#.*)?")
"""A line of a requirement file that Dependabot accepts. It ignores a file that has another line."""


def read_project_files() -> dict[str, str]:
    """Return the content of the files that Dependabot may have to update, by their paths from the project's root."""
    files = {}
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "build"]
        for path in (Path(folder, name) for name in names):
            if path.suffix in {".txt", ".in"} or _DOCKERFILE.fullmatch(path.name):
                files[path.relative_to(ROOT).as_posix()] = path.read_text()
    return files


def find_uncovered_files(document: Mapping[str, Any], files: Mapping[str, str]) -> set[str]:
    """Return the locks and Dockerfiles that no entry of the configuration updates."""
    covered_folders: dict[str, set[str]] = {"pip": set(), "docker": set()}
    for update in document["updates"]:
        folders = update.get("directories") or [update["directory"]]
        covered_folders.setdefault(update["package-ecosystem"], set()).update(folder.strip("/") for folder in folders)
    uncovered = set()
    for path, content in files.items():
        folder, _, name = path.rpartition("/")
        if _DOCKERFILE.fullmatch(name) and folder not in covered_folders["docker"]:
            uncovered.add(path)
        if is_lock(path, content) and folder not in covered_folders["pip"]:
            uncovered.add(path)
    return uncovered


def find_unusable_locks(files: Mapping[str, str]) -> set[str]:
    """Return the locks that Dependabot cannot update, although their folder is covered."""
    return {
        path
        for path, content in files.items()
        if is_lock(path, content)
        and not (
            len(content.encode()) <= MAX_LOCK_BYTES
            # Dependabot compiles a lock again only if the file with the requirements has the same name.
            and is_requirement_file(files.get(f"{path.removesuffix('.txt')}.in"))
            and is_requirement_file(content)
        )
    }


def is_lock(path: str, content: str) -> bool:
    return path.endswith(".txt") and "--hash=" in content


def is_requirement_file(content: str | None) -> bool:
    """Return True if Dependabot recognises the content as requirements, whatever the file's name."""
    return content is not None and all(
        not line.strip() or line.strip().startswith(("#", "-r ", "-c ", "--")) or _REQUIREMENT.fullmatch(line.strip())
        for line in content.splitlines()
    )


def test_the_configuration_matches_githubs_schema() -> None:
    jsonschema.Draft7Validator(schema("dependabot")).validate(DOCUMENT)


def test_the_pinned_actions_are_updated() -> None:
    assert "github-actions" in {update["package-ecosystem"] for update in DOCUMENT["updates"]}


def test_every_lock_and_base_image_is_updated() -> None:
    files = read_project_files()
    locks = {path for path, content in files.items() if is_lock(path, content)}
    assert {"requirements/layer.txt", "requirements/media.txt", "policies/requirements.txt"} <= locks
    assert "handlers/meetings/media_job/Dockerfile" in files
    assert not find_uncovered_files(DOCUMENT, files)
    assert not find_unusable_locks(files)


LOCK = "a==1 \\\n    --hash=sha256:0\n    # via b\n"


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("requirements/more/lock.txt", LOCK),
        ("lock.txt", LOCK),
        ("handlers/ingestion/glue/Containerfile", "FROM x"),
        ("handlers/ingestion/glue/Dockerfile.arm64", "FROM x"),
        ("handlers/ingestion/glue/job.dockerfile", "FROM x"),
    ],
)
def test_a_file_in_a_folder_without_an_entry_is_found(path: str, content: str) -> None:
    assert find_uncovered_files(DOCUMENT, {path: content}) == {path}


@pytest.mark.parametrize("removed_index", range(len(DOCUMENT["updates"])))
def test_a_configuration_without_one_of_its_entries_is_incomplete(removed_index: int) -> None:
    updates = [update for index, update in enumerate(DOCUMENT["updates"]) if index != removed_index]
    uncovered = find_uncovered_files({"updates": updates}, read_project_files())
    assert uncovered or DOCUMENT["updates"][removed_index]["package-ecosystem"] == "github-actions"


@pytest.mark.parametrize(
    "files",
    [
        {"requirements/a.txt": LOCK},
        {"requirements/a.txt": LOCK, "requirements/b.in": "a"},
        {"requirements/a.txt": f"{LOCK}{'#' * MAX_LOCK_BYTES}\n", "requirements/a.in": "a"},
        {"requirements/a.txt": LOCK, "requirements/a.in": "a @ https://example.com/a.whl"},
    ],
    ids=["no requirements", "requirements under another name", "too large", "requirement with a URL"],
)
def test_a_lock_that_dependabot_ignores_is_found(files: Mapping[str, str]) -> None:
    assert find_unusable_locks(files) == {"requirements/a.txt"}
