"""Tests of commands of the AWS CLI on the pages: botocore's models have their operations, options and output fields."""

import re
import shlex
from collections.abc import Iterator, Mapping

import botocore.session
from botocore import xform_name
from botocore.model import ListShape, MapShape, Shape, StructureShape

from local import ROOT

SESSION = botocore.session.get_session()
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
GLOBAL_OPTIONS = {
    *("query", "output", "region", "profile", "no-paginate", "max-items", "page-size"),
    *("cli-binary-format", "cli-read-timeout"),
}
"""Options of every command (AWS CLI Command Reference, "Global options", and pagination)."""
CUSTOM_COMMANDS: Mapping[str, set[str]] = {
    # Commands of the CLI itself, which no service model describes, with the options that the pages use.
    "s3 cp": {"metadata-directive", "storage-class", "recursive"},
    "s3 ls": {"recursive"},
    "s3 sync": {"delete"},
    "logs tail": {"since", "filter-pattern", "follow", "format"},
    "ecr get-login-password": set(),
    "cloudformation deploy": {"stack-name", "template-file", "parameter-overrides", "capabilities"},
    # An operation to which the CLI adds options.
    "ec2 authorize-security-group-ingress": {"group-id", "protocol", "port", "source-group"},
}


def find_commands(text: str) -> Iterator[list[str]]:
    """Yield the words of the commands in code blocks and in backticks, also of those inside `$(...)`.

    A placeholder such as `<the queue's url>` is one word.
    """
    block = re.compile(r"^ *```\w*\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
    inline = [piece.replace("\n", " ") for piece in re.findall(r"`([^`]*\baws [^`]*)`", block.sub("", text))]
    for piece in [*block.findall(text), *inline]:
        joined = re.sub(r"<[^>]*>", "PLACEHOLDER", re.sub(r"\\\n\s*", " ", piece))
        for match in re.finditer(r"\baws ([a-z][a-z0-9-]+ [a-z][a-z0-9-]+)", joined):
            rest = re.match(r"""(?:'[^']*'|"(?:\$\([^)]*\)|[^"])*"|[^'"|;)\n#])*""", joined[match.end() :])
            assert rest is not None
            yield [match[1], *shlex.split(rest[0].rstrip("& "))]


def find_problems(name: str, *arguments: str) -> set[str]:
    """Return the unknown operation, options and output fields of a command, and its missing options."""
    options = {argument.removeprefix("--") for argument in arguments if argument.startswith("--")} - GLOBAL_OPTIONS
    if name in CUSTOM_COMMANDS:
        return options - CUSTOM_COMMANDS[name]
    service, operation = name.replace("s3api", "s3").split()
    if operation == "wait":
        waiters = {xform_name(waiter, "-") for waiter in SESSION.get_waiter_model(service).waiter_names}
        return {*arguments[:1]} - waiters
    model = SESSION.get_service_model(service)
    action = next((action for action in model.operation_names if xform_name(action, "-") == operation), "")
    if not action:
        return {"no such operation"}
    request, answer = model.operation_model(action).input_shape, model.operation_model(action).output_shape
    members = {xform_name(member, "-") for member in request.members} if request else set()
    problems = options - members - {f"no-{member}" for member in members}
    if request and arguments and "…" not in arguments:  # a page may shorten a command, or only name it
        problems |= {
            f"--{option} is missing" for option in map(_to_option, request.required_members) if option not in options
        }
    query = arguments[arguments.index("--query") + 1] if "--query" in arguments else ""
    fields = set(re.findall(r"\b[A-Za-z]\w*\b(?!\()", re.sub(r"'[^']*'|`[^`]*`|\w+:", "", query)))
    return problems | (fields - list_fields(answer) if service != "dynamodb" else set())  # items have any fields


def _to_option(member: str) -> str:
    return xform_name(member, "-")


def list_fields(shape: Shape | None, outer: tuple[str, ...] = ()) -> set[str]:
    """Return the names of all fields of an answer, also of nested fields."""
    if shape is None or shape.name in outer:
        return set()
    if isinstance(shape, ListShape):
        return list_fields(shape.member, (*outer, shape.name))
    if isinstance(shape, MapShape):
        return list_fields(shape.value, (*outer, shape.name))
    members = shape.members if isinstance(shape, StructureShape) else {}
    return {*members}.union(*(list_fields(member, (*outer, shape.name)) for member in members.values()))


def test_every_command_on_the_pages_exists_with_its_options_and_output_fields() -> None:
    commands = [command for page in PAGES for command in find_commands(page.read_text())]
    assert len(commands) > 50
    problems = {" ".join(command): find_problems(*command) for command in commands}
    assert {command: faults for command, faults in problems.items() if faults} == {}
