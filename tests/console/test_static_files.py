"""Checks of the console's static files: forbidden constructs, loaded files, content security policy and colours."""

import hashlib
import re
from html.parser import HTMLParser
from itertools import product

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
    headers = {attributes.get("http-equiv"): attributes.get("content", "") for _, attributes in html.elements}
    policy = headers["Content-Security-Policy"]
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


CONTRASTS = {
    4.5: (
        ("ink soft", "paper card sunk"),
        ("ink accent", "accent-ground"),
        ("good", "good-ground"),
        ("ink warn", "warn-ground"),
        ("ink bad", "bad-ground"),
        ("on-accent", "accent"),
        ("card", "bad"),
        ("accent", "card sunk"),
        ("on-stage stage-soft", "stage"),
    ),
    3.0: (
        ("edge focus v1 v2 v3 v4 v5", "paper card"),
        ("edge good warn bad v1 v2 v3 v4 v5", "sunk"),
        ("accent good bad", "card"),
    ),
}
"""Colour variables of foregrounds and backgrounds that are used together, by their minimum contrast at level AA of WCAG
2.2: for text, and for the parts of controls. `v1` to `v5` are the colours of the five backends.
"""


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour by the formula of WCAG 2.2, from 0 to 1."""
    channels = [channel / 255 for channel in bytes.fromhex(colour.removeprefix("#"))]
    linear = [channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4 for channel in channels]
    return sum(weight * channel for weight, channel in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_colours_have_enough_contrast_in_the_light_and_the_dark_scheme() -> None:
    light, dark = (
        dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6});", block))
        for block in (CONSOLE / "style.css").read_text().split("prefers-color-scheme: dark")
    )
    for colours, (minimum, groups) in product((light, light | dark), CONTRASTS.items()):
        for foreground, background in (pair for group in groups for pair in product(*map(str.split, group))):
            darker, lighter = sorted(luminance(colours[name]) for name in (foreground, background))
            assert (lighter + 0.05) / (darker + 0.05) >= minimum, (foreground, background)
