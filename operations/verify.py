"""Command `verify`: use a deployed stack from end to end, as its users do, and print what works.

It runs the flows of `make demo`, each of which uses one backend, with recordings of real sentences. Files, rows and a
meeting of the flows remain in the stack. Steps that need a failure or a schedule are not verified. The end-to-end tests
cover them on the local platform.

The addresses and names come from the stack output `frontend`. Tokens of two users come from the environment variables
in `TOKEN_VARIABLES`, or from the local platform. AWS calls use the default credentials and, for the local platform,
`AWS_ENDPOINT_URL`.
"""

import argparse
import os
import re
import subprocess
from collections.abc import Mapping
from functools import cache, partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from pydantic import ValidationError
from pydantic.alias_generators import to_camel
from websockets.exceptions import InvalidStatus

from components.frontend_output import Frontend
from handlers.common.aws import CONFIG
from local.flows import OTHER_USER, USER, ClientFactory, FlowSkipped, Stack
from local.flows.flow_registry import FLOWS
from local.flows.identity import request_token
from local.terminal_output import report_waiting
from operations.command import CommandContext, CommandFailed

SUMMARY = "use the deployed stack from end to end, as its users do, and print what works"
TOKEN_VARIABLES = {USER: "POLYPHONY_TOKEN_A", OTHER_USER: "POLYPHONY_TOKEN_B"}
"""Environment variables with the tokens of two users of the identity provider."""
_QUERY = re.compile(r"\?\S+")
"""Query of a URL, which may contain a signature."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--flow", choices=list(FLOWS), help="run only this flow")
    parser.add_argument(
        "--frontend", type=Path, metavar="FILE", help="JSON file with the output `frontend` of the stack"
    )
    parser.add_argument("--seconds", type=float, default=900, help="time limit of each result (default: %(default)s)")


def run(context: CommandContext, options: argparse.Namespace) -> int:
    """Run the flows and print their results. Return 0 if all that ran work, and 1 if one has failed."""
    frontend = parse_frontend(_read_frontend(options.stack, options.frontend))
    connect = partial(connect_to_aws, frontend["region"])
    stack = Stack(frontend, connect, token=partial(find_token, frontend), patience_seconds=options.seconds)
    results = {name: run_flow(context, name, stack) for name in ([options.flow] if options.flow else FLOWS)}
    context.print_line("; ".join(f"{name}: {result}" for name, result in results.items()))
    if set(results.values()) == {"skipped"}:
        raise CommandFailed("No flow could use the stack, so nothing was verified. The reasons are above.")
    return 1 if "failed" in results.values() else 0


def run_flow(context: CommandContext, name: str, stack: Stack) -> str:
    """Run a flow, print its steps, and return `works`, `failed`, or `skipped` if the flow cannot use this stack."""
    context.print_line(f"{name}: {FLOWS[name].title}")
    started = context.clock()

    def report_step(step: str) -> None:
        context.print_line(f"  {context.clock() - started:6.1f} s  {step}")

    result, problems = "skipped", [f"the stack has no {name}"]
    try:
        if to_camel(name.replace("-", "_")) in stack.frontend:  # it has a section for each backend of the stack
            with report_waiting(context.print_line):
                problems = FLOWS[name].play(stack, report_step)
            result = "failed" if problems else "works"
    except FlowSkipped as error:
        problems = [str(error)]
    except Exception as error:  # noqa: BLE001 - a failure of any kind is a result, and other flows still run
        result, problems = "failed", [f"{type(error).__name__}: {_QUERY.sub('?…', str(error))}"]
        if isinstance(error, InvalidStatus) and error.response.status_code == HTTPStatus.UNAUTHORIZED:
            problems.append(f"the token may be invalid or expired: set {' and '.join(TOKEN_VARIABLES.values())} again")
    context.print_line(f"  {result}{': ' if problems else ''}{'; '.join(problems)}")
    return result


def parse_frontend(text: str) -> dict[str, Any]:
    """Return the validated output `frontend`."""
    try:
        return Frontend.model_validate_json(text).to_output()
    except ValidationError as error:
        places = ", ".join(".".join(map(str, detail["loc"])) or "the whole text" for detail in error.errors())
        raise CommandFailed(
            f"The output `frontend` is not that of this version of the program (see {places}): check out the deployed one."
        ) from error


def _read_frontend(stack: str, file: Path | None) -> str:
    command = ["pulumi", "stack", "output", "frontend", "--json", "--stack", stack]
    try:
        if file is not None:
            return file.read_text(encoding="utf-8")
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603
    except OSError as error:
        advice = "The Pulumi CLI is not installed: install it, or give --frontend."
        raise CommandFailed(f"--frontend {file}: {error.strerror}." if file else advice) from error
    except subprocess.CalledProcessError as error:
        raise CommandFailed(f"`{' '.join(command)}` failed. Its error is above.") from error


def connect_to_aws(region: str, credentials: tuple[str, str, str | None] | tuple[()] = ()) -> ClientFactory:
    """Return a function that returns the client of a service. Without credentials, it uses those of the environment."""
    access_key, secret_key, token = credentials or (None, None, None)
    # `Any`, because boto3's types accept only literal names of services.
    session: Any = boto3.Session(access_key, secret_key, token, region)

    @cache
    def client(service: str) -> Any:
        # Presigned URLs of objects with a KMS key need this version of signatures.
        config = CONFIG.merge(Config(signature_version="s3v4")) if service == "s3" else CONFIG
        return session.client(service, config=config)

    return client


def find_token(frontend: Mapping[str, Any], user: str) -> str:
    """Return the token of a user: from the environment, or from the local platform, whose frontend has a `tokenUrl`."""
    variable = TOKEN_VARIABLES[user]
    if token := os.environ.get(variable):
        return token
    if "tokenUrl" in frontend.get("identity", {}):
        return request_token(frontend, user)
    raise FlowSkipped(f"it needs tokens of two users: set {' and '.join(TOKEN_VARIABLES.values())}")
