"""Whoever an alarm wakes finds a page that speaks of that very alarm; every page is found by an alarm or by a reader."""

import argparse
import re
from functools import cache
from pathlib import Path

import pytest

from local import ROOT, stack_files
from local.pages import documented
from operations.__main__ import _parser
from tests.whole import DOCUMENTED

pytestmark = DOCUMENTED

FOLDER = ROOT / "docs" / "runbooks"
INDEX = FOLDER / "README.md"
PAGES = sorted(set(FOLDER.glob("*.md")) - {INDEX})
COMMANDS = re.compile(r"python -m operations ([a-z]+)")


@cache
def alarms(stack: str) -> dict[str, str]:
    """Every alarm's name, what its stack's share left out, with the page that its description ends in."""
    found = [one.inputs for one in documented.graph(stack) if one.kind == "MetricAlarm"]
    return {
        one["name"].removeprefix(f"polyphony-{stack}-"): one["alarmDescription"].rpartition("Runbook: ")[2]
        for one in found
    }


@cache
def every_alarm() -> dict[str, str]:
    return {name: page for stack in stack_files.stacks() for name, page in alarms(stack).items()}


def speaks_of(page: Path) -> set[str]:
    """The ends of alarms' names that a page says it is about, without their severity."""
    found = re.search(r"^\*\*Alarms?\*\*: (.*?)(?=\*\*Means|\n\n)", page.read_text(), re.MULTILINE | re.DOTALL)
    named = re.findall(r"`([^`]+)`", found[1]) if found else []
    return {re.sub(r"^(…|<\w+>)-|-(critical|warning)$", "", re.sub(r"^(…|<\w+>)-", "", one)) for one in named}


def test_there_are_alarms_in_every_stack() -> None:
    for stack in stack_files.stacks():
        assert len(alarms(stack)) > 50


@pytest.mark.parametrize("stack", stack_files.stacks())
def test_an_alarms_page_exists_and_speaks_of_it(stack: str) -> None:
    unspoken = []
    for name, named in alarms(stack).items():
        page, plain = ROOT / named, re.sub(r"-(critical|warning)$", "", name)
        assert page in PAGES, f"{name} names {named}"
        if not any(plain.endswith(f"-{end}") for end in speaks_of(page)):
            unspoken.append(f"{page.name} says nothing of {name}")
    assert unspoken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_speaks_of_no_alarm_that_does_not_exist(page: Path) -> None:
    plain = [re.sub(r"-(critical|warning)$", "", name) for name in every_alarm()]
    unknown = {end for end in speaks_of(page) if not any(name.endswith(f"-{end}") for name in plain)}
    assert unknown == set()


def test_the_index_has_every_page_once_apart_by_what_leads_to_it() -> None:
    by_alarm, by_hand = (re.findall(r"\((.*?)\.md\)", part) for part in INDEX.read_text().split("| when | page |"))
    led = {Path(page).stem for page in every_alarm().values()}
    assert by_alarm == sorted(led)
    assert by_hand == sorted({page.stem for page in PAGES} - led), "a page that neither alarm nor reader finds"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_says_what_to_do_in_steps(page: Path) -> None:
    text = page.read_text()
    assert text.startswith("# ")
    assert re.search(r"^(1\. |## |```)", text, re.MULTILINE), "no step, no chapter, no command"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_links_to_is_there(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)]*))?\)", page.read_text()):
        if "://" in target:
            continue
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}, anchor
    for named in re.findall(
        r"`((?:docs|components|handlers|operations|local)/[\w/.-]+\.(?:md|py|json))`", page.read_text()
    ):
        assert (ROOT / named).exists(), named


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_calls_only_commands_that_exist(page: Path) -> None:
    [commands] = [one for one in _parser()._actions if isinstance(one, argparse._SubParsersAction)]
    assert set(COMMANDS.findall(page.read_text())) <= set(commands.choices)
