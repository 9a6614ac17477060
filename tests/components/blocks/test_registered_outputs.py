"""Test of what all blocks do at their end."""

import ast

import pytest

from local import ROOT

BLOCKS = [
    pytest.param(node, id=node.name)
    for path in sorted((ROOT / "components/blocks").glob("*.py"))
    for node in ast.parse(path.read_text(encoding="utf-8")).body
    if isinstance(node, ast.ClassDef) and [ast.unparse(base) for base in node.bases] == ["Block"]
]


@pytest.mark.parametrize("block", BLOCKS)
def test_the_last_step_of_a_block_registers_its_outputs(block: ast.ClassDef) -> None:
    """Otherwise Pulumi would show the component as still being created until the deployment ends."""
    last_steps = [ast.unparse(node.body[-1]) for node in block.body if isinstance(node, ast.FunctionDef)]
    assert [step for step in last_steps if step.startswith("self.register_outputs(")]
