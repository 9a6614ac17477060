"""Tests of commands of the AWS CLI on the pages: botocore's models have their operations, options and output paths."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import botocore.session
import jmespath
from botocore import xform_name
from botocore.model import ListShape, MapShape, OperationModel, Shape, StringShape, StructureShape
from botocore.validate import ParamValidator

from local import ROOT

SESSION = botocore.session.get_session()
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
GLOBAL_OPTIONS = {
    *("query", "output", "region", "profile", "no-paginate", "max-items", "page-size"),
    *("cli-binary-format", "cli-read-timeout"),
}
"""Options of every command (AWS CLI Command Reference, "Global options", and pagination)."""
CUSTOM_COMMANDS: Mapping[tuple[str, str], set[str]] = {
    # Commands of the CLI itself, which no service model describes, with the options that the pages use.
    ("s3", "cp"): {"metadata-directive", "storage-class", "recursive"},
    ("s3", "ls"): {"recursive"},
    ("s3", "sync"): {"delete"},
    ("logs", "tail"): {"since", "filter-pattern", "follow", "format"},
    ("ecr", "get-login-password"): set(),
    ("cloudformation", "deploy"): {"stack-name", "template-file", "parameter-overrides", "capabilities"},
}
ADDED_OPTIONS: Mapping[tuple[str, str], set[str]] = {
    # Options that the CLI adds to an operation.
    ("ec2", "authorize-security-group-ingress"): {"protocol", "port", "source-group"},
}


@dataclass(frozen=True)
class Command:
    """A command on a page."""

    page: str
    service: str
    operation: str
    arguments: tuple[str, ...]

    @property
    def options(self) -> dict[str, tuple[str, ...]]:
        """The options without hyphens, each with its values."""
        options: dict[str, tuple[str, ...]] = {}
        name = ""
        for argument in self.arguments:
            if argument.startswith("--"):
                name = argument.removeprefix("--")
                options[name] = ()
            elif name:
                options[name] = (*options[name], argument)
        return options

    @property
    def is_complete(self) -> bool:
        """False for a command that the page shortens by an ellipsis, or that it only names."""
        return bool(self.arguments) and "…" not in self.arguments


def find_commands(page: str, text: str) -> Iterator[Command]:
    """Yield the commands in code blocks and in backticks, also those inside of `$(...)`."""
    code = re.findall(r"^ *```\w*\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^ *```\w*\n(.*?)^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    inline = [piece.replace("\n", " ") for piece in re.findall(r"`([^`]*\baws [^`]*)`", prose)]
    for piece in [*code, *inline]:
        joined = re.sub(r"\\\n\s*", " ", piece)
        for match in re.finditer(r"\baws ([a-z][a-z0-9-]+) ([a-z][a-z0-9-]+)", joined):
            yield Command(page, match[1], match[2], tuple(split_command(joined[match.end() :])))


def split_command(text: str) -> list[str]:
    """Return the words of a shell command up to its end. A placeholder such as `<the queue's url>` is one word."""
    text = re.sub(r"<[^>]*>", "PLACEHOLDER", text)
    command = re.match(r"""(?:'[^']*'|"(?:\$\([^)]*\)|[^"])*"|[^'"|;)\n#])*""", text)
    assert command is not None
    return shlex.split(command[0].rstrip("& "))


@cache
def operations(service: str) -> Mapping[str, OperationModel]:
    """Return the operations of a service by their names in the CLI."""
    model = SESSION.get_service_model(service.replace("s3api", "s3"))
    return {xform_name(name, "-"): model.operation_model(name) for name in model.operation_names}


def find_problems(command: Command) -> Iterator[str]:
    """Yield the faults of a command: operation, options, missing options, values or output paths."""
    options = {name: values for name, values in command.options.items() if name not in GLOBAL_OPTIONS}
    if (command.service, command.operation) in CUSTOM_COMMANDS:
        yield from sorted(options.keys() - CUSTOM_COMMANDS[command.service, command.operation])
        return
    if command.operation == "wait":
        waiters = SESSION.get_waiter_model(command.service).waiter_names
        if command.arguments[0] not in {xform_name(name, "-") for name in waiters}:
            yield f"no waiter {command.arguments[0]}"
        return
    if command.service.replace("s3api", "s3") not in SESSION.get_available_services():
        yield "no such service"
        return
    model = operations(command.service).get(command.operation)
    if model is None:
        yield "no such operation"
        return
    shape = model.input_shape
    members = {xform_name(name, "-"): member for name, member in shape.members.items()} if shape else {}
    required = {xform_name(name, "-") for name in shape.required_members} if shape else set()
    for name in sorted(options.keys() - ADDED_OPTIONS.get((command.service, command.operation), set())):
        member = members.get(name) or members.get(name.removeprefix("no-"))
        if member is None:
            yield f"no option --{name}"
        else:
            yield from find_value_problems(member, options[name])
    if command.is_complete:
        yield from (f"--{name} is missing" for name in sorted(required - options.keys()))
    for query in command.options.get("query", ()):
        try:
            find_output_shape(jmespath.compile(query).parsed, model.output_shape)
        except KeyError as error:
            yield f"the output has no {error.args[0]}"


def find_value_problems(shape: Shape, values: tuple[str, ...]) -> Iterator[str]:
    """Yield the problems of JSON values, and of the keys in the short form `key=value,key=value`."""
    element = shape.member if isinstance(shape, ListShape) else shape
    for value in values:
        if value.startswith(("{", "[")) and shape.type_name not in {"blob", "string"}:
            report = ParamValidator().validate(json.loads(value), shape)
            if report.has_errors():
                yield report.generate_report()
        elif isinstance(element, StructureShape):
            yield from sorted({part.partition("=")[0] for part in value.split(",")} - element.members.keys())
        elif isinstance(element, StringShape) and element.enum and value not in {"PLACEHOLDER", *element.enum}:
            yield f"{value} is not one of {', '.join(element.enum)}"


def find_output_shape(node: Mapping[str, Any], shape: Shape | None) -> Shape | None:
    """Return the shape of a JMESPath expression's result, or None if it is computed. Raise KeyError for a wrong path."""
    children = node.get("children", [])
    match node["type"]:
        case "field":
            if isinstance(shape, StructureShape) and node["value"] not in shape.members:
                raise KeyError(node["value"])
            return shape.members[node["value"]] if isinstance(shape, StructureShape) else None
        case "identity" | "current":
            return shape
        case "subexpression" | "index_expression" | "pipe":
            for child in children:
                shape = find_output_shape(child, shape)
            return shape
        case "index":
            return shape.member if isinstance(shape, ListShape) else None
        case "flatten":
            return find_output_shape(children[0], shape)
        case "projection" | "filter_projection":
            list_shape = find_output_shape(children[0], shape)
            element = list_shape.member if isinstance(list_shape, ListShape) else None
            for child in children[1:]:
                projected = find_output_shape(child, element)
            return projected
        case "value_projection":
            mapping = find_output_shape(children[0], shape)
            return find_output_shape(children[1], mapping.value if isinstance(mapping, MapShape) else None)
        case _:
            for child in children:
                find_output_shape(child, shape)
            return None


def test_every_command_on_the_pages_exists_with_its_options_and_output_paths() -> None:
    commands = [command for page in PAGES for command in find_commands(str(page.relative_to(ROOT)), page.read_text())]
    assert commands
    problems = {
        f"{command.page}: aws {command.service} {command.operation}": list(find_problems(command))
        for command in commands
    }
    assert {command: faults for command, faults in problems.items() if faults} == {}
