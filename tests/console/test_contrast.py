"""Tests of the style sheet's colours: contrast by the formula of WCAG 2.2, in light and dark mode."""

import re
from itertools import product

import pytest

from local import ROOT

STYLE = (ROOT / "console" / "style.css").read_text()
TEXT_CONTRAST, CONTROL_CONTRAST = 4.5, 3.0
"""Minimum contrast at level AA for text, and for the parts of controls."""
PAIRS = [
    *((text, ground, TEXT_CONTRAST) for text, ground in product(("ink", "soft"), ("paper", "card", "sunk"))),
    *(("ink", f"{kind}-ground", TEXT_CONTRAST) for kind in ("accent", "warn", "bad")),
    *((kind, f"{kind}-ground", TEXT_CONTRAST) for kind in ("accent", "good", "warn", "bad")),
    ("on-accent", "accent", TEXT_CONTRAST),
    ("card", "bad", TEXT_CONTRAST),
    ("accent", "card", TEXT_CONTRAST),
    ("accent", "sunk", TEXT_CONTRAST),
    ("on-stage", "stage", TEXT_CONTRAST),
    ("stage-soft", "stage", TEXT_CONTRAST),
    *((kind, ground, CONTROL_CONTRAST) for kind, ground in product(("edge", "focus"), ("paper", "card"))),
    *((kind, "card", CONTROL_CONTRAST) for kind in ("good", "accent", "bad")),
    *((kind, "sunk", CONTROL_CONTRAST) for kind in ("good", "warn", "bad", "edge", "v4")),
    *((f"v{number}", ground, CONTROL_CONTRAST) for number, ground in product(range(1, 6), ("paper", "card", "sunk"))),
]
"""Colour variables of foreground and background that are used together, and their minimum contrast. `v1` to `v5` are
the colours of the five backends.
"""


def parse_colours(block: str) -> dict[str, str]:
    """Return the colour variables of a part of the style sheet."""
    return dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6});", block))


LIGHT = parse_colours(STYLE[: STYLE.index("prefers-color-scheme: dark")])
DARK = LIGHT | parse_colours(STYLE[STYLE.index("prefers-color-scheme: dark") :])


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour, from 0 to 1."""
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4 for channel in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    """Return the contrast ratio of two colours, from 1 to 21."""
    darker, lighter = sorted((luminance(first), luminance(second)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_all_colour_pairs_have_enough_contrast(scheme: dict[str, str]) -> None:
    for foreground, background, min_contrast in PAIRS:
        assert contrast(scheme[foreground], scheme[background]) >= min_contrast, (foreground, background)
