"""The command line behind the Makefile's targets: `python -m local <command>`.

Exit status: 0 when all is well, 1 when something found is a reason not to deploy, 2 when the command could not run,
130 when it was interrupted.
"""

import argparse
import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from local import CannotRun
from local.preview import deferred_annotations

OBJECTS_BETWEEN_COLLECTIONS = 2_000_000
"""More than one program makes: its objects all stay until its end, so looking through them for garbage finds nothing."""

Command = Callable[[argparse.Namespace], int]


def main(arguments: list[str] | None = None) -> int:
    """Runs one command."""
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")

    preview = _command(commands, "preview", _preview, "plan, policy findings, cost and outputs of a stack")
    preview.add_argument("--stack", default="dev")
    preview.add_argument("--json", action="store_true", help="one JSON document instead of text")
    preview.add_argument("--sarif", type=Path, help="also write the findings as SARIF, for code scanning")

    cost = _command(commands, "cost", _cost, "what a stack costs a month")
    cost.add_argument("--stack", default="dev")
    cost.add_argument("--free", action="store_true", help="take off the free tiers, as if the account ran nothing else")
    cost.add_argument("--json", action="store_true")

    difference = _command(commands, "cost-diff", _cost_diff, "what two stacks, or two git revisions, cost")
    difference.add_argument("before", help="a stack, or a git revision")
    difference.add_argument("after", help="a stack, a git revision, or . for what is not committed yet")
    difference.add_argument("--stack", default="prod", help="the stack that revisions are compared by")
    difference.add_argument("--json", action="store_true")

    generate = _command(commands, "generate", _generate, "write the generated files")
    generate.add_argument("what", choices=("schemas", "pages", "all"))
    generate.add_argument("--check", action="store_true", help="write nothing; say which are stale")

    up = _command(commands, "up", _up, "bring the local stack up on this machine and leave it running")
    down = _command(commands, "down", _down, "stop the local platform and remove what it left")
    console = _command(commands, "console", _console, "serve the console against the running local platform")
    outputs = _command(commands, "outputs", _outputs, "write frontend.json from the running local platform")
    for one in (up, down, console, outputs):
        one.add_argument(
            "--folder", type=_folder, help="where it keeps its files, for a second platform; .local by default"
        )
    demo = _command(commands, "demo", _demo, "preview, up, the flows, grants against use, outputs, cost, down")
    demo.add_argument("--flow", default="", help="one flow instead of all")
    _command(commands, "layers", _layers, "build the handlers' layer")

    options = parser.parse_args(arguments)
    command: Command = options.command
    try:
        return command(options)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except CannotRun as error:
        print(error, file=sys.stderr)
    except OSError as error:  # a folder that nobody may write to, a full disk: the program's own faults are others
        print(f"cannot go on: {error}", file=sys.stderr)
    return 2


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, command: Command, says: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=says, description=says)
    parser.set_defaults(command=command)
    return parser


def _folder(given: str) -> Path:
    """Where it is for everybody: the emulator and the program run in folders of their own."""
    return Path(given).resolve()


# Each command imports what it needs when it runs: a preview is over before boto3 would be imported.


def _preview(options: argparse.Namespace) -> int:
    from local.preview import preview  # noqa: PLC0415

    return preview.command(options.stack, as_json=options.json, sarif_file=options.sarif)


def _cost(options: argparse.Namespace) -> int:
    from local.preview import cost  # noqa: PLC0415

    return cost.cost_command(options.stack, as_json=options.json, free_tiers=options.free)


def _cost_diff(options: argparse.Namespace) -> int:
    from local.preview import cost  # noqa: PLC0415

    return cost.diff_command(options.before, options.after, stack=options.stack, as_json=options.json)


def _generate(options: argparse.Namespace) -> int:
    from local.generate import generated_files  # noqa: PLC0415

    files = {"schemas": generated_files.INTERFACES, "pages": generated_files.PAGES, "all": generated_files.FILES}
    return generated_files.command(files[options.what], check=options.check)


def _up(options: argparse.Namespace) -> int:
    from local.platform import emulator, lifecycle  # noqa: PLC0415

    return lifecycle.up(folder=options.folder or emulator.FOLDER)


def _down(options: argparse.Namespace) -> int:
    from local.platform import emulator, lifecycle  # noqa: PLC0415

    return lifecycle.down(options.folder or emulator.FOLDER)


def _demo(options: argparse.Namespace) -> int:
    from local.flows import demo  # noqa: PLC0415

    return demo.command(options.flow)


def _layers(_options: argparse.Namespace) -> int:
    from local.generate import handler_layers  # noqa: PLC0415

    return handler_layers.command()


def _outputs(options: argparse.Namespace) -> int:
    from local.platform import emulator, frontend_output  # noqa: PLC0415

    return frontend_output.write_frontend_file(options.folder or emulator.FOLDER)


def _console(options: argparse.Namespace) -> int:
    from local import console  # noqa: PLC0415
    from local.platform import emulator  # noqa: PLC0415

    return console.command(options.folder or emulator.FOLDER)


def prepare() -> None:
    """Makes this process fast at running one program once."""
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    deferred_annotations.install()


def _leave(status: int) -> NoReturn:
    """Ends this process at once: taking a program's resources apart, one by one, would take a second and more."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    prepare()
    _leave(main())
