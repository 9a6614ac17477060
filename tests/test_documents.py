"""Tests of the pages: they refer only to existing files, headings, commands and outputs, and list every error code and
decision.
"""

import os
import re
import subprocess
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

import pytest

from components.blocks.gateway_responses import ERRORS, UNKNOWN_METHOD, UNKNOWN_PATH
from handlers.common.errors import ErrorCode
from handlers.ingestion.files import FileRejection, FileStatus
from handlers.ingestion.glue.lake_columns import ADDED_COLUMNS
from handlers.ingestion.glue.lines import DataProblem
from handlers.livestream.tracks import TrackReason
from handlers.meetings.complete_file import CompleteFile
from handlers.meetings.record import MeetingReason
from handlers.voice_qa.messages import RejectionReason
from local import ROOT
from local.generate import errors_page
from local.generate.upload_failure_explanations import LECTURE_REASONS, TRACK_REASONS, ReasonExplanation
from tests.document_samples import list_make_targets

PAGES = sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")})
FOLDERS = "benchmarks|bootstrap|components|console|docs|handlers|local|operations|policies|requirements|tests"
APIS = {**errors_page.HTTP_APIS, **errors_page.WEBSOCKET_APIS}
ERRORS_OF_API_GATEWAY = (*ERRORS.values(), UNKNOWN_PATH, UNKNOWN_METHOD)
PAGES_WITH_COMMANDS = [page for page in PAGES if page.parent.name != "decisions" and page.name != "CHANGELOG.md"]
"""Pages whose commands a reader runs. Decisions and the changelog are not among them."""


def find_anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_in_a_page_has_a_target(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)]*))?\)", page.read_text()):
        if "://" in target or target.startswith("mailto:"):
            continue
        target_path = (page.parent / target).resolve() if target else page
        assert target_path.exists(), target
        if anchor and target_path.suffix == ".md":
            assert anchor in find_anchors(target_path), f"{target}#{anchor}"


def test_every_page_of_docs_can_be_reached_from_the_readme() -> None:
    reached, pending = set(), [ROOT / "README.md"]
    while pending:
        page = pending.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
            target_path = (page.parent / target).resolve()
            if target_path.is_dir():
                pending += target_path.glob("*.md")
            elif target_path.is_file():
                pending.append(target_path)
    assert set(PAGES) - reached == set(), "no page links to it"


@pytest.mark.parametrize("page", PAGES_WITH_COMMANDS, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_in_a_page_exists(page: Path) -> None:
    """Our own modules need the Python of the virtual environment, because only it has their dependencies."""
    text = page.read_text()
    code = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    make_calls = [line for block in code for line in re.findall(r"^(?:\$ )?make (\S+)", block, re.MULTILINE)]
    make_calls += re.findall(r"`make ([^\s`]+)", text)
    assert set(make_calls) <= list_make_targets()
    for python, module in re.findall(r"([\w./-]*python3?) -m\s+((?:local|operations|handlers)[\w.]*)", text):
        assert python == ".venv/bin/python", f"{python} -m {module}"
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), module


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_in_a_page_exists(page: Path) -> None:
    """Ignore paths that only exist after the reader follows the page."""
    paths_in_page = set(re.findall(rf"`((?:{FOLDERS})/[\w./-]+)`", page.read_text()))
    created_by_reader = {"notes", "backlog", "schedules"}
    missing = {path for path in paths_in_page if not (ROOT / path).exists()}
    assert {path for path in missing if not any(created in path for created in created_by_reader)} == set()


def test_the_commands_of_the_deployment_guide_rotate_a_secret(tmp_path: Path) -> None:
    """Run the guide's own lines with a fake Pulumi CLI: it stores the value in a file, and logs it at each deployment.

    The deployed values are the old and the new one, then the new and the old one, and at last the new one.
    """
    guide = (ROOT / "docs" / "deploying.md").read_text()
    [lines] = [block for block in re.findall(r"```sh\n(.*?)```", guide, re.DOTALL) if "store()" in block]
    (tmp_path / "pulumi").write_text(
        '#!/bin/sh\ncase "$1 $2" in\n"config get") cat stored; echo ;;\n'
        '"config set") value=$(cat); printf %s "$value" > stored ;;\n'
        "*) cat stored >> deployed; printf '\\n--\\n' >> deployed ;;\nesac\n"
    )
    (tmp_path / "pulumi").chmod(0o755)
    (tmp_path / "stored").write_text("old")
    path = f"{tmp_path}:{os.environ['PATH']}"
    subprocess.run(["sh", "-e"], input=lines, text=True, check=True, cwd=tmp_path, env={"PATH": path})  # noqa: S607
    first_deployed, second_deployed, third_deployed, _ = ((tmp_path / "deployed").read_text()).split("\n--\n")
    old, new = first_deployed.splitlines()
    assert (old, len(new) >= 32) == ("old", True)
    assert (second_deployed, third_deployed) == (f"{new}\nold", new)


def test_the_deployment_guide_names_the_outputs_of_the_bootstrap() -> None:
    text, template = (ROOT / "docs" / "deploying.md").read_text(), (ROOT / "bootstrap" / "roles.yaml").read_text()
    for output in ("PreviewRole", "DeployRole", "Backend"):
        assert f"`{output}`" in text
        assert f"\n  {output}:\n" in template
    for variable in ("AWS_ROLE_ARN", "AWS_REGION", "PULUMI_BACKEND_URL"):
        assert f"`{variable}`" in text
        assert f"vars.{variable}" in (ROOT / ".github" / "workflows" / "stack.yml").read_text()


# Error codes and values that clients handle


def test_every_error_code_for_clients_is_on_the_page_of_errors() -> None:
    text = (ROOT / "docs" / "reference" / "errors.md").read_text().partition("## Reasons after an upload")[0]
    names_on_page = set(re.findall(r"^\| `([A-Z_]+)` \|", text, re.MULTILINE))
    codes = {code.value for error_codes in list_code_classes() for code in error_codes}
    assert codes | {code for code, _, _ in ERRORS_OF_API_GATEWAY} == names_on_page
    for api, classes in APIS.items():
        [table] = re.findall(rf"^## {api}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
        explained = re.findall(r"^\| `([A-Z_]+)` \|(?: \d+ \|)? [^|]+ \| [^|]+ \|$", table, re.MULTILINE)
        assert set(explained) == {code.value for members in classes for code in members}, api
    for api in ("livestream", "meetings", "transcription", "voice-qa"):
        assert f"reference/errors.md#{api}" in (ROOT / "docs" / f"{api}.md").read_text(), (
            "the API's page links to its table"
        )


def test_every_error_code_belongs_to_an_api() -> None:
    """A class of codes that no API lists would be missing from the page."""
    assert set(list_code_classes()) == {error_codes for classes in APIS.values() for error_codes in classes}


def test_the_page_lists_every_error_of_api_gateway_with_its_status() -> None:
    unchanged_status = {"REFUSED": 400, "INTERNAL": 500}
    rows = re.findall(r"^\| `([A-Z_]+)` \| (\d+) \|", errors_page.GATEWAY_ERRORS, re.MULTILINE)
    assert set(rows) == {(code, str(status or unchanged_status[code])) for code, _, status in ERRORS_OF_API_GATEWAY}


@pytest.mark.parametrize(("reasons", "explained"), [(TrackReason, TRACK_REASONS), (RejectionReason, LECTURE_REASONS)])
def test_every_reason_after_an_upload_has_a_meaning_and_an_action(
    reasons: type[StrEnum], explained: Mapping[StrEnum, ReasonExplanation]
) -> None:
    assert set(explained) == set(reasons)


def test_every_reason_of_a_meeting_is_in_the_chapter_on_its_status() -> None:
    names_on_page = set(re.findall(r"`([A-Z_]+)`", (ROOT / "docs" / "meetings.md").read_text()))
    assert set(MeetingReason) <= names_on_page


def list_code_classes() -> list[type[ErrorCode]]:
    """Return all classes of error codes that the program defines. Tests may define others."""
    return [error_codes for error_codes in ErrorCode.__subclasses__() if not error_codes.__module__.startswith("test")]


def test_the_ingestion_page_explains_states_reasons_and_columns() -> None:
    names_on_page = set(re.findall(r"`([\w.]+)`", (ROOT / "docs" / "ingestion.md").read_text()))
    values = {member.value for values in (FileStatus, FileRejection, DataProblem) for member in values}
    assert values | ADDED_COLUMNS.keys() <= names_on_page


def test_the_meetings_page_shows_a_valid_complete_file() -> None:
    [example] = re.findall(r"```json\n(.*?)```", (ROOT / "docs" / "meetings.md").read_text(), re.DOTALL)
    assert CompleteFile.model_validate_json(example).chunks


# Decisions


def test_the_index_of_decisions_lists_every_title() -> None:
    folder = ROOT / "docs" / "decisions"
    titles = {
        page.name: re.sub(r"^# (\d+\.|\d{4}) ", "", page.read_text().partition("\n")[0])
        for page in sorted(folder.glob("0*.md"))
    }
    rows = re.findall(r"^\| \[(\d{4})\]\((.*?)\) \| (.*) \|$", (folder / "README.md").read_text(), re.MULTILINE)
    assert [(name, title) for _, name, title in rows] == list(titles.items())
    assert all(name.startswith(f"{number}-") for number, name, _ in rows)
