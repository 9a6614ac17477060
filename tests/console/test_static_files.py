"""Checks of the console's static files: forbidden constructs, loaded files, and the content security policy."""

import hashlib
import re
from html.parser import HTMLParser

import pytest

from local import ROOT

CONSOLE = ROOT / "console"
VENDORED = {
    "aws4fetch": ("3049cd99d00a2fb83ce0e77f0e6b3fb22c17d8e708b740821f906145a8f978e9", "Copyright 2018 Michael Hart"),
    "hls": ("3d82a88cf9ae0d9aaab3cbe9ff6ecbb64bb89c54a399c34ae9bf8b559baeb20f", "Copyright (c) 2017 Dailymotion"),
}
"""SHA-256 hash of each vendored file as it is in its npm package (`console/vendor/README.md`), and a line of its licence.
"""
OWN_MODULES = sorted(path for path in CONSOLE.rglob("*.js") if path.parent.name != "vendor")
FORBIDDEN = (
    *("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"),
    *("localStorage", "sessionStorage", "indexedDB", "document.cookie"),
    *("console.log", "console.info", "console.debug"),
)


class ElementReader(HTMLParser):
    """HTML parser that collects the elements of a page with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    @property
    def ids(self) -> list[str]:
        return [attributes["id"] for _, attributes in self.elements if "id" in attributes]


@pytest.fixture(scope="module")
def html() -> ElementReader:
    reader = ElementReader()
    reader.feed((CONSOLE / "index.html").read_text())
    return reader


@pytest.mark.parametrize("name", VENDORED)
def test_a_vendored_file_equals_the_published_one(name: str) -> None:
    digest, licence = VENDORED[name]
    assert hashlib.sha256((CONSOLE / "vendor" / f"{name}.js").read_bytes()).hexdigest() == digest
    assert licence in (CONSOLE / "vendor" / f"{name}.LICENSE").read_text()


def test_modules_neither_parse_markup_nor_store_or_log_data() -> None:
    texts = {path.name: path.read_text() for path in OWN_MODULES}
    assert len(texts) > 30
    assert [(name, word) for name, text in texts.items() for word in FORBIDDEN if word in text] == []


def test_elements_that_a_module_reads_exist(html: ElementReader) -> None:
    used_ids = {used_id for path in OWN_MODULES for used_id in re.findall(r'byId\("([^"]+)"\)', path.read_text())}
    assert len(used_ids) > 50
    assert used_ids <= set(html.ids)


def test_the_content_security_policy_only_allows_own_scripts(html: ElementReader) -> None:
    [policy] = [
        attributes["content"]
        for _, attributes in html.elements
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == "'self'"
    assert rules["require-trusted-types-for"] == "'script'"
    assert rules["trusted-types"] == "'none'"
    assert "unsafe" not in policy


def test_ids_are_unique_and_references_to_them_exist(html: ElementReader) -> None:
    assert len(html.ids) == len(set(html.ids))
    for _, attributes in html.elements:
        for name in ("for", "aria-controls", "aria-labelledby"):
            assert attributes.get(name, html.ids[0]) in html.ids, attributes


def test_announcements_are_read_by_screen_readers(html: ElementReader) -> None:
    [region] = [attributes for _, attributes in html.elements if attributes.get("id") == "spoken"]
    assert region["aria-live"] == "polite"
