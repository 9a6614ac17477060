"""The console's modules, each called by itself in the page of a browser."""

from typing import Any

from tests.browser import Visit


def run(page: Visit, module: str, script: str, argument: Any = None) -> Any:
    """What a function of a module gives."""
    return page.evaluate(f"async (given) => {{ const it = await import('/lib/{module}.js'); {script} }}", argument)
