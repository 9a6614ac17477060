"""Readers of the documents' code blocks, of printed output, and of the Makefile's targets, for tests that compare them."""

import re

from local import ROOT


def read_code_block(page: str, after: str) -> list[str]:
    """Return the lines of the first code block after a text."""
    block = (ROOT / page).read_text(encoding="utf-8").split(after, 1)[1].split("```")[1]
    return [line for line in block.splitlines()[1:] if line]


def strip_lines(printed: str) -> set[str]:
    """Return printed lines without trailing spaces, as the documents show them."""
    return {line.rstrip() for line in printed.splitlines()}


def list_make_targets() -> set[str]:
    """Return the names of all targets of the Makefile."""
    target_lines = re.findall(r"^([^\s#:=]+(?: [^\s#:=]+)*):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return {target for line in target_lines for target in line.split()}
