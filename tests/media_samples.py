"""What documents show of a command's output, and what the command prints."""

import re

from local import ROOT


def sample(page: str, after: str) -> list[str]:
    """The lines of the first block after some words."""
    found = (ROOT / page).read_text(encoding="utf-8").split(after, 1)[1].split("```")[1]
    return [line for line in found.splitlines()[1:] if line]


def lines(printed: str) -> set[str]:
    """As a page has them: tables are printed with blanks up to their width."""
    return {line.rstrip() for line in printed.splitlines()}


def make_targets() -> set[str]:
    """Return the names of all targets of the Makefile."""
    lines = re.findall(r"^([^\s#:=]+(?: [^\s#:=]+)*):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return {target for line in lines for target in line.split()}
