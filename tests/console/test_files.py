"""The console's files: what they may hold, and whom they load."""

import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from local import ROOT

CONSOLE = ROOT / "console"
AWS4FETCH = "3049cd99d00a2fb83ce0e77f0e6b3fb22c17d8e708b740821f906145a8f978e9"
"""Of `dist/aws4fetch.esm.js` in aws4fetch 1.0.20, as npm has it."""
OWN = sorted(one for one in CONSOLE.rglob("*.js") if one.parent.name != "vendor")
FORBIDDEN = (
    *("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"),
    *("localStorage", "sessionStorage", "indexedDB", "document.cookie"),
    *("console.log", "console.info", "console.debug"),
)


class Reader(HTMLParser):
    """Collects the elements of a page with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))


@pytest.fixture(scope="module")
def read() -> Reader:
    made = Reader()
    made.feed((CONSOLE / "index.html").read_text())
    return made


def test_the_signer_is_the_one_that_was_published() -> None:
    found = hashlib.sha256((CONSOLE / "vendor" / "aws4fetch.js").read_bytes()).hexdigest()
    assert found == AWS4FETCH
    assert "Copyright 2018 Michael Hart" in (CONSOLE / "vendor" / "aws4fetch.LICENSE").read_text()


@pytest.mark.parametrize("path", OWN, ids=lambda one: one.name)
def test_data_never_becomes_markup_and_secrets_stay_in_memory(path: Path) -> None:
    text = path.read_text()
    assert not [word for word in FORBIDDEN if word in text]


@pytest.mark.parametrize("path", OWN, ids=lambda one: one.name)
def test_modules_look_for_elements_that_the_page_has(path: Path, read: Reader) -> None:
    ids = {given["id"] for _, given in read.elements if "id" in given}
    wanted = set(re.findall(r'byId\("([^"]+)"\)', path.read_text()))
    assert wanted <= ids


def test_the_page_loads_nothing_from_elsewhere(read: Reader) -> None:
    for tag, given in read.elements:
        for name in ("src", "href"):
            assert ":" not in given.get(name, ""), (tag, given)
        assert not [name for name in given if name == "style" or name.startswith("on")], (tag, given)
    assert [given for tag, given in read.elements if tag == "script"] == [{"type": "module", "src": "app.js"}]


def test_the_pages_own_policy_lets_in_no_script_but_its_own(read: Reader) -> None:
    [policy] = [given["content"] for _, given in read.elements if given.get("http-equiv") == "Content-Security-Policy"]
    rules = dict(one.strip().split(" ", 1) for one in policy.split(";"))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == "'self'"
    assert rules["require-trusted-types-for"] == "'script'"
    assert rules["trusted-types"] == "'none'"
    assert "unsafe" not in policy


def test_ids_are_given_once_and_what_names_them_finds_them(read: Reader) -> None:
    ids = [given["id"] for _, given in read.elements if "id" in given]
    assert len(ids) == len(set(ids))
    for _, given in read.elements:
        for name in ("for", "aria-controls", "aria-labelledby"):
            assert given.get(name, ids[0]) in ids, given


def test_what_changes_by_itself_is_told_to_readers(read: Reader) -> None:
    roles = [given.get("role") for _, given in read.elements if given.get("class", "").startswith("problem")]
    assert roles
    assert set(roles) == {"alert"}
    assert [given["aria-live"] for _, given in read.elements if given.get("id") == "spoken"] == ["polite"]
