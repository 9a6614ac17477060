"""The console's files: what they may hold, whom they load, and that every control has a name."""

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
VOID = frozenset(["meta", "link", "input", "br", "rect", "path", "circle"])


class Reader(HTMLParser):
    """What the tests ask of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.labelled: set[str] = set()
        self.wrapped: list[dict[str, str]] = []
        """Controls inside their label."""
        self._in_label = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.elements.append((tag, given))
        if tag == "label":
            self._in_label = True
            self.labelled.add(given.get("for", ""))
        elif self._in_label and tag == "input":
            self.wrapped.append(given)

    def handle_endtag(self, tag: str) -> None:
        if tag == "label":
            self._in_label = False


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
def test_modules_import_what_is_there(path: Path) -> None:
    for found in re.findall(r'(?:from|import) "([^"]+)"', path.read_text()):
        assert found.startswith("."), f"{found} comes from elsewhere"
        assert (path.parent / found).resolve().is_file(), found


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


def test_every_control_has_a_label(read: Reader) -> None:
    for tag, given in read.elements:
        if tag in {"input", "select", "textarea", "meter", "audio", "video"}:
            named = given.get("id") in read.labelled or given in read.wrapped or "aria-label" in given
            assert named, (tag, given)


def test_ids_are_given_once_and_what_names_them_finds_them(read: Reader) -> None:
    ids = [given["id"] for _, given in read.elements if "id" in given]
    assert len(ids) == len(set(ids))
    for _, given in read.elements:
        for name in ("for", "aria-controls", "aria-labelledby"):
            assert given.get(name, ids[0]) in ids, given


def test_tabs_and_panels_belong_together(read: Reader) -> None:
    tabs = [given for _, given in read.elements if given.get("role") == "tab"]
    panels = [given for _, given in read.elements if given.get("role") == "tabpanel"]
    assert [one["aria-controls"] for one in tabs] == [one["id"] for one in panels]
    assert [one["id"] for one in tabs] == [one["aria-labelledby"] for one in panels]


def test_what_changes_by_itself_is_told_to_readers(read: Reader) -> None:
    roles = [given.get("role") for _, given in read.elements if given.get("class", "").startswith("problem")]
    assert roles
    assert set(roles) == {"alert"}
    assert [given["aria-live"] for _, given in read.elements if given.get("id") == "spoken"] == ["polite"]
