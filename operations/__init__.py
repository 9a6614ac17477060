"""Commands for operators, who change or examine a deployed stack: `python -m operations`.

`python -m operations.compare_models` is a separate program, because it needs no deployed stack.
"""
