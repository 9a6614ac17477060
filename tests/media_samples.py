"""Access to command output in documents, to the printed output, and to the targets of the Makefile."""

import re

from local import ROOT


def sample(page: str, after: str) -> list[str]:
    """Return the lines of the first code block after a text."""
    block = (ROOT / page).read_text(encoding="utf-8").split(after, 1)[1].split("```")[1]
    return [line for line in block.splitlines()[1:] if line]


def lines(printed: str) -> set[str]:
    """Return printed lines without trailing spaces, like in the documents."""
    return {line.rstrip() for line in printed.splitlines()}


def make_targets() -> set[str]:
    """Return the names of all targets of the Makefile."""
    lines = re.findall(r"^([^\s#:=]+(?: [^\s#:=]+)*):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return {target for line in lines for target in line.split()}
