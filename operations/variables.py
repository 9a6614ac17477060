"""What a function would say to its variables: they are held against the models that handlers read theirs by."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from inspect import getmembers, isclass
from pathlib import Path

from pydantic import ValidationError

from handlers.common.environment import HandlerEnvironment

HANDLERS = Path(__file__).resolve().parents[1] / "handlers"


def refusal(subsystem: str, now: Mapping[str, str], name: str, value: str) -> str | None:
    """Why a function of these variables would refuse them all with this value of one; none where it would not.

    Which of a subsystem's models is the function's own, the variables that it has now say.
    """
    for model in _models(subsystem.replace("-", "_")):
        if name in {field.alias for field in model.model_fields.values()} and _problem(model, now) is None:
            says = _problem(model, {**now, name: value})
            if says is not None:
                return says
    return None


def _models(subsystem: str) -> Iterator[type[HandlerEnvironment]]:
    for path in sorted((HANDLERS / subsystem).glob("*environment.py")):
        module = import_module(f"handlers.{subsystem}.{path.stem}")
        for _, found in getmembers(module, isclass):
            if issubclass(found, HandlerEnvironment) and found.__module__ == module.__name__:
                yield found


def _problem(model: type[HandlerEnvironment], variables: Mapping[str, str]) -> str | None:
    """What is wrong first, in words that repeat no value."""
    try:
        model.model_validate(dict(variables))
    except ValidationError as error:
        return str(error.errors(include_url=False, include_input=False)[0]["msg"])
    return None
