"""Tests of the pages: they refer only to existing files, headings, commands and outputs, and list every error code and
decision.
"""

import os
import re
import subprocess
from pathlib import Path

from components.blocks.gateway_responses import ERRORS, UNKNOWN_METHOD, UNKNOWN_PATH
from handlers.common.errors import ErrorCode
from handlers.ingestion.files import FileRejection, FileStatus
from handlers.ingestion.glue.lake_columns import ADDED_COLUMNS
from handlers.ingestion.glue.lines import DataProblem
from handlers.livestream.tracks import TrackReason
from handlers.meetings.recording_files import CompleteFile, MeetingReason
from handlers.voice_qa.messages import RejectionReason
from local import ROOT
from local.generate import errors_page, generated_files
from local.generate.errors_page import LECTURE_REASONS, TRACK_REASONS
from tests.document_samples import list_make_targets

PAGES = sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")})
FOLDERS = "benchmarks|bootstrap|components|console|docs|handlers|local|operations|policies|requirements|tests"
APIS = {**errors_page.HTTP_APIS, **errors_page.WEBSOCKET_APIS}
ERRORS_OF_API_GATEWAY = (*ERRORS.values(), UNKNOWN_PATH, UNKNOWN_METHOD)


def find_anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_link_in_a_page_has_a_target() -> None:
    missing = []
    for page in PAGES:
        for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)]*))?\)", page.read_text()):
            path = (page.parent / target).resolve() if target else page
            if "://" not in target and not target.startswith("mailto:"):
                is_page = path.suffix == ".md" and path.exists()
                missing += (
                    []
                    if path.exists() and (not anchor or not is_page or anchor in find_anchors(path))
                    else [f"{page.name}: {target}#{anchor}"]
                )
    assert missing == []


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


def test_every_command_in_a_page_exists() -> None:
    """Our own modules need the Python of the virtual environment, because only it has their dependencies.

    A reader does not run the commands of decisions and of the changelog.
    """
    text = "".join(
        page.read_text() for page in PAGES if page.parent.name != "decisions" and page.name != "CHANGELOG.md"
    )
    code = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    make_calls = [line for block in code for line in re.findall(r"^(?:\$ )?make (\S+)", block, re.MULTILINE)]
    assert {*make_calls, *re.findall(r"`make ([^\s`]+)", text)} <= list_make_targets()
    for python, module in re.findall(r"([\w./-]*python3?) -m\s+((?:local|operations|handlers)[\w.]*)", text):
        assert python == ".venv/bin/python", f"{python} -m {module}"
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), module


def test_every_path_in_a_page_exists() -> None:
    """Ignore paths that only exist after the reader follows the page."""
    paths = {path for page in PAGES for path in re.findall(rf"`((?:{FOLDERS})/[\w./-]+)`", page.read_text())}
    missing = {path for path in paths if not (ROOT / path).exists()}
    assert {path for path in missing if not re.search("notes|backlog|schedules", path)} == set()


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


def test_the_pages_of_errors_and_settings_are_fresh() -> None:
    pages = [f"docs/reference/{name}.md" for name in ("errors", "settings")]
    assert generated_files.find_stale_files({page: generated_files.PAGES[page] for page in pages}) == [], (
        "run `make docs`"
    )


# Error codes and values that clients handle


def test_every_error_code_for_clients_is_on_the_page_of_errors() -> None:
    text = (ROOT / "docs" / "reference" / "errors.md").read_text().partition("## Reasons after an upload")[0]
    names_on_page = set(re.findall(r"^\| `([A-Z_]+)` \|", text, re.MULTILINE))
    classes_of_apis = {error_codes for classes in APIS.values() for error_codes in classes}
    # Tests may define other classes.
    assert {found for found in ErrorCode.__subclasses__() if not found.__module__.startswith("test")} == classes_of_apis
    codes = {code.value for error_codes in classes_of_apis for code in error_codes}
    assert codes | {code for code, _, _ in ERRORS_OF_API_GATEWAY} == names_on_page
    for api, classes in APIS.items():
        [table] = re.findall(rf"^## {api}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
        explained = re.findall(r"^\| `([A-Z_]+)` \|(?: \d+ \|)? [^|]+ \| [^|]+ \|$", table, re.MULTILINE)
        assert set(explained) == {code.value for members in classes for code in members}, api
    for api in ("livestream", "meetings", "transcription", "voice-qa"):
        assert f"reference/errors.md#{api}" in (ROOT / "docs" / f"{api}.md").read_text(), (
            "the API's page links to its table"
        )


def test_the_page_lists_every_error_of_api_gateway_with_its_status() -> None:
    unchanged_status = {
        "REFUSED": 400,
        "INTERNAL": 500,
        "MALFORMED": 400,
        "TOO_LARGE": 413,
        "THROTTLED": 429,
        "UNAUTHORIZED": 401,
        "UNSUPPORTED_MEDIA_TYPE": 415,
    }
    rows = re.findall(r"^\| `([A-Z_]+)` \| (\d+) \|", errors_page.GATEWAY_ERRORS, re.MULTILINE)
    assert set(rows) == {(code, str(status or unchanged_status[code])) for code, _, status in ERRORS_OF_API_GATEWAY}


def test_every_reason_state_and_column_is_explained() -> None:
    assert (set(TRACK_REASONS), set(LECTURE_REASONS)) == (set(TrackReason), set(RejectionReason))
    for page, names in {
        "meetings.md": {*MeetingReason},
        "ingestion.md": {*FileStatus, *FileRejection, *DataProblem, *ADDED_COLUMNS},
    }.items():
        names_on_page = set(re.findall(r"`([\w.]+)`", (ROOT / "docs" / page).read_text()))
        assert {str(name) for name in names} <= names_on_page


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
