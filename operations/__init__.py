"""Commands for operators, who change or examine a deployed stack: `python -m operations`."""
