"""Contrast as WCAG 2.2 computes it, of the colours that the style sheet puts upon each other, in light and dark."""

import re
from itertools import product

import pytest

from local import ROOT

STYLE = (ROOT / "console" / "style.css").read_text()
TEXT, PART = 4.5, 3.0
"""What AA asks of text, and of parts that have to be seen to use something."""
ON_GROUNDS = [(ink, ground) for ink, ground in product(("ink", "soft"), ("paper", "card", "sunk"))]
PAIRS = [
    *((ink, ground, TEXT) for ink, ground in ON_GROUNDS),
    *(("ink", f"{kind}-ground", TEXT) for kind in ("accent", "bad")),
    *((kind, f"{kind}-ground", TEXT) for kind in ("accent", "good", "warn", "bad")),
    ("on-accent", "accent", TEXT),
    ("card", "bad", TEXT),
    ("accent", "card", TEXT),
    ("accent", "sunk", TEXT),
    ("on-stage", "stage", TEXT),
    ("stage-soft", "stage", TEXT),
    *((kind, ground, PART) for kind, ground in product(("edge", "focus"), ("paper", "card"))),
    *((kind, "card", PART) for kind in ("good", "accent", "bad")),
    *((kind, "sunk", PART) for kind in ("good", "warn", "bad", "edge", "v4")),
    *((f"v{voice}", ground, PART) for voice, ground in product(range(1, 6), ("paper", "card", "sunk"))),
]


def colours(block: str) -> dict[str, str]:
    """The style sheet's variables that are colours."""
    return dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6});", block))


LIGHT = colours(STYLE[: STYLE.index("prefers-color-scheme: dark")])
DARK = LIGHT | colours(STYLE[STYLE.index("prefers-color-scheme: dark") :])


def luminance(colour: str) -> float:
    """Relative, between 0 and 1."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Between 1 and 21."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_the_formula_is_the_standards() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_what_is_to_be_read_can_be(scheme: dict[str, str]) -> None:
    found = {(ink, ground): contrast(scheme[ink], scheme[ground]) for ink, ground, _ in PAIRS}
    assert {one: found[one[:2]] for one in PAIRS if found[one[:2]] < one[2]} == {}


def test_dark_changes_every_colour_of_text_and_ground() -> None:
    same = {name for name in LIGHT if LIGHT[name] == DARK[name]}
    assert same <= {"on-stage"}


def test_colours_stand_in_variables_alone() -> None:
    rules = STYLE[STYLE.index("* { box-sizing") :]
    assert re.findall(r"#[0-9a-f]{3,8}\b", rules) == ["#000", "#0008"], "behind a video, and behind a dialog"
