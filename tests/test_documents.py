"""What documents lead to is there: files, headings, commands, workflows."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from components.blocks.api.gateway_responses import GatewayCode
from components.settings.column_types import OWN_COLUMNS
from handlers.common.errors import CommonCode
from handlers.common.http.rest_dispatch import RestCode
from handlers.common.websocket.message_dispatch import SocketCode
from handlers.ingestion.file_admission import Refusal
from handlers.ingestion.glue.json_records import Reason
from handlers.ingestion.status_transitions import FileStatus
from handlers.livestream import error_codes as livestream
from handlers.meetings.auth_exchange import error_codes as meetings
from handlers.meetings.complete_file import Complete
from handlers.transcription import messages as transcription
from handlers.voice_qa import client_messages as voice_qa
from local import ROOT
from local.generate.message_examples import COMPLETED
from tests.document_samples import list_make_targets

PAGES = sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")})
FOLDERS = "benchmarks|bootstrap|clients|components|console|docs|handlers|local|operations|policies|requirements|tests"
TYPED = [page for page in PAGES if page.parent.name != "decisions" and page.name != "CHANGELOG.md"]
"""What a reader types commands from; the others are read."""


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_document_links_to_is_there(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)]*))?\)", page.read_text()):
        if "://" in target or target.startswith("mailto:"):
            continue
        found = (page.parent / target).resolve() if target else page
        assert found.exists(), target
        if anchor and found.suffix == ".md":
            assert anchor in anchors(found), f"{target}#{anchor}"


def test_every_page_of_docs_can_be_reached_from_the_readme() -> None:
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
            found = (page.parent / target).resolve()
            if found.is_dir():
                waiting += found.glob("*.md")
            elif found.is_file():
                waiting.append(found)
    assert set(PAGES) - reached == {ROOT / "CHANGELOG.md"} & set(PAGES), "nothing leads to it"


@pytest.mark.parametrize("page", TYPED, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_tells_a_reader_to_run_exists(page: Path) -> None:
    """Our own programs are run by the Python that has what they import."""
    text = page.read_text()
    code = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    called = [line for block in code for line in re.findall(r"^(?:\$ )?make (\S+)", block, re.MULTILINE)]
    called += re.findall(r"`make ([^\s`]+)", text)
    assert set(called) <= list_make_targets()
    for python, module in re.findall(r"([\w./-]*python3?) -m\s+((?:local|operations|handlers)[\w.]*)", text):
        assert python == ".venv/bin/python", f"{python} -m {module}"
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), module


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_in_a_page_exists(page: Path) -> None:
    """Paths with a placeholder, and what a reader is to make, are not there."""
    named = set(re.findall(rf"`((?:{FOLDERS})/[\w./-]+)`", page.read_text()))
    made = {"notes", "counter", "schedules"}
    missing = {one for one in named if not (ROOT / one).exists() and not any(word in one for word in made)}
    assert missing == set()


def test_a_secret_is_exchanged_as_the_guide_says(tmp_path: Path) -> None:
    """Its own lines, with a CLI that keeps what it is given in a file."""
    guide = (ROOT / "docs" / "deploying.md").read_text()
    [lines] = [block for block in re.findall(r"```sh\n(.*?)```", guide, re.DOTALL) if "store()" in block]
    (tmp_path / "pulumi").write_text(
        '#!/bin/sh\ncase "$1 $2" in\n"config get") cat kept; echo ;;\n'
        '"config set") value=$(cat); printf %s "$value" > kept ;;\n'
        "*) cat kept >> deployed; printf '\\n--\\n' >> deployed ;;\nesac\n"
    )
    (tmp_path / "pulumi").chmod(0o755)
    (tmp_path / "kept").write_text("old")
    path = f"{tmp_path}:{os.environ['PATH']}"
    subprocess.run(["sh", "-e"], input=lines, text=True, check=True, cwd=tmp_path, env={"PATH": path})  # noqa: S607
    first, second, third, _ = ((tmp_path / "deployed").read_text()).split("\n--\n")
    old, new = first.splitlines()
    assert (old, len(new) >= 32) == ("old", True)
    assert (second, third) == (f"{new}\nold", new)


def test_the_guide_to_deploying_names_what_the_bootstrap_gives() -> None:
    text, template = (ROOT / "docs" / "deploying.md").read_text(), (ROOT / "bootstrap" / "roles.yaml").read_text()
    for output in ("PreviewRole", "DeployRole", "Backend"):
        assert f"`{output}`" in text
        assert f"\n  {output}:\n" in template
    for variable in ("AWS_ROLE_ARN", "AWS_REGION", "PULUMI_BACKEND_URL"):
        assert f"`{variable}`" in text
        assert f"vars.{variable}" in (ROOT / ".github" / "workflows" / "stack.yml").read_text()


# What clients handle


CODES = {
    "livestream": (livestream.Code, RestCode, CommonCode, GatewayCode),
    "meetings": (meetings.Code, CommonCode),
    "transcription": (transcription.Code, SocketCode, CommonCode),
    "voice-qa": (voice_qa.Code, SocketCode, CommonCode),
}


@pytest.mark.parametrize("page", CODES)
def test_every_code_that_a_client_may_be_told_is_in_its_page(page: str) -> None:
    listed = set(re.findall(r"`([A-Z_]+)`", (ROOT / "docs" / f"{page}.md").read_text()))
    assert {code.value for codes in CODES[page] for code in codes} - listed == set()


def test_the_page_of_ingestion_says_what_states_reasons_and_columns_mean() -> None:
    listed = set(re.findall(r"`([\w.]+)`", (ROOT / "docs" / "ingestion.md").read_text()))
    meant = {one.value for told in (FileStatus, Refusal, Reason) for one in told}
    columns = {name for name, _ in OWN_COLUMNS}
    assert (meant | columns) - listed == set()


def test_the_page_of_meetings_shows_a_complete_that_is_taken() -> None:
    [shown] = re.findall(r"```json\n(.*?)```", (ROOT / "docs" / "meetings.md").read_text(), re.DOTALL)
    assert Complete.model_validate_json(shown) == COMPLETED, "as the schema shows it"


# Decisions


def test_the_index_of_decisions_has_each_with_its_title() -> None:
    folder = ROOT / "docs" / "decisions"
    titles = {
        page.name: re.sub(r"^# (\d+\.|\d{4}) ", "", page.read_text().partition("\n")[0])
        for page in sorted(folder.glob("0*.md"))
    }
    listed = re.findall(r"^\| \[(\d{4})\]\((.*?)\) \| (.*) \|$", (folder / "README.md").read_text(), re.MULTILINE)
    assert [(name, title) for _, name, title in listed] == list(titles.items())
    assert all(name.startswith(f"{number}-") for number, name, _ in listed)
