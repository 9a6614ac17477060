"""Calls of the console's JavaScript modules in a browser."""

from typing import Any

from tests.browser import ConsoleWindow


def run_script(window: ConsoleWindow, module: str, script: str, argument: Any = None) -> Any:
    """Run the body of a JavaScript function and return its result.

    The script uses the imported module as `module` and the argument as `input`.
    """
    return window.evaluate(
        f"async (input) => {{ const module = await import('/lib/{module}.js'); {script} }}", argument
    )
