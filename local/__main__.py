"""Command line behind the Makefile's targets: `python -m local <command>`.

Exit status: 0 for success, 1 for a finding, for example a policy violation or a resource that cannot be created, 2 if the
command could not run, 130 after Ctrl-C.
"""

import argparse
import gc
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from local import ROOT, CannotRun
from local.preview import pulumi_aws_import_hook
from local.terminal_output import survive_closed_output

OBJECTS_BETWEEN_COLLECTIONS = 2_000_000
"""Threshold of the garbage collector. One run of the Pulumi program creates fewer objects, so no collection interrupts
it. A collection would free little, because nearly all objects live to the end of the run."""
SWITCH_INTERVAL_SECONDS = 0.00005
"""Python's switch interval. With the default, 5 ms, the thread that calls the policy pack would wait too long for the
thread that runs the program."""

Command = Callable[[argparse.Namespace], int]


def main(arguments: list[str] | None = None) -> int:
    """Run the command that the arguments name, by default those of the process. Return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")

    preview = _add_command(
        commands, "preview", _preview, "show resources, policy findings, cost and outputs of a stack"
    )
    preview.add_argument("--stack", default="dev")
    preview.add_argument("--json", action="store_true", help="print one JSON document instead of text")
    preview.add_argument("--sarif", type=Path, help="also write the findings to this file as SARIF, for code scanning")

    cost = _add_command(commands, "cost", _cost, "show the monthly cost of a stack")
    cost.add_argument("--stack", default="dev")
    cost.add_argument("--free", action="store_true", help="subtract the free tiers, as if the account ran nothing else")
    cost.add_argument("--json", action="store_true")
    cost.add_argument("-v", "--verbose", action="store_true", help="also print every line of the estimate")

    difference = _add_command(commands, "cost-diff", _cost_diff, "compare the cost of two stacks or two git revisions")
    difference.add_argument("before", help="stack or git revision")
    difference.add_argument("after", help="stack, git revision, or . for the working tree")
    difference.add_argument("--stack", default="prod", help="stack to price at the revisions")
    difference.add_argument("--json", action="store_true")

    plan = _add_command(
        commands, "plan", _plan, "print the changes that `pulumi preview` announces, for the approval of a plan"
    )
    plan.add_argument("--stack", required=True)

    generate = _add_command(commands, "generate", _generate, "write the generated files in docs/")
    generate.add_argument(
        "what",
        choices=("schemas", "pages", "all", "surface"),
        help="`schemas` includes the OpenAPI documents and TypeScript types; `surface` writes the policy pack's tables",
    )
    generate.add_argument("--check", action="store_true", help="only list stale files")

    _add_platform_commands(commands)

    options = parser.parse_args(arguments)
    command: Command = options.command
    try:
        return command(options)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except CannotRun as error:
        print(error, file=sys.stderr)
    except OSError as error:  # for example a full disk or a folder without write permission
        print(f"The command failed: {error}", file=sys.stderr)
    except Exception as error:  # noqa: BLE001 - a defect of the project: the exit status must not be that of a finding
        if os.environ.get("TRACEBACK"):
            traceback.print_exc()
        else:
            print(f"{_describe_failure(error)} (TRACEBACK=1 shows the whole traceback)", file=sys.stderr)
    return 2


def _add_platform_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands for the local platform, and `layers`."""
    up = _add_command(commands, "up", _up, "start the local platform and leave it running")
    down = _add_command(commands, "down", _down, "stop the local platform and remove its files")
    console = _add_command(commands, "console", _console, "serve the console for the running local platform")
    outputs = _add_command(commands, "outputs", _outputs, "write frontend.json from the running local platform")
    provider = _add_command(commands, "provider", _provider, "start an emulator, and let the Pulumi CLI deploy to it")
    push = _add_command(commands, "push", _push, "publish changed functions on the running local platform")
    watch = _add_command(
        commands, "watch", _watch, "publish functions whenever their code changes, and print their logs"
    )
    up.add_argument("-v", "--verbose", action="store_true", help="print a line for each resource")
    for platform_command in (up, down, console, outputs, push, watch, provider):
        platform_command.add_argument(
            "--folder", type=_parse_folder, help="folder of the platform's files, for a second platform"
        )
    for function_command in (push, watch):
        function_command.add_argument(
            "functions",
            nargs="*",
            metavar="function",
            help="folder (`meetings/storage`), physical name, a part of one of them, or `all`",
        )
    demo = _add_command(
        commands, "demo", _demo, "preview, up, all flows, check that no IAM permission is missing, outputs, cost, down"
    )
    demo.add_argument("--flow", default="", help="run only this flow")
    samples = _add_command(commands, "samples", _samples, "write sample files: speech, videos and records")
    samples.add_argument("--folder", type=_parse_folder, help="folder for the files (default: samples)")
    _add_command(commands, "layers", _layers, "build the Lambda layer of the handlers")


def _describe_failure(error: Exception) -> str:
    """Return one line about an unexpected exception: the last place in this project's code, its type and its message."""
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, SyntaxError) and error.filename is not None:
        place = f"{error.filename}:{error.lineno}"
    else:
        # A virtual environment is inside the project's folder, but its packages are not the project's code.
        own = [
            frame
            for frame in frames
            if frame.filename.startswith(f"{ROOT}/") and "/site-packages/" not in frame.filename
        ]
        frame = (own or frames)[-1]
        place = f"{frame.filename}:{frame.lineno}"
    message = " ".join(str(error).split())
    return f"{place.removeprefix(f'{ROOT}/')}: {type(error).__name__}: {message}"


def _add_command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, command: Command, description: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=description, description=description)
    parser.set_defaults(command=command)
    return parser


def _parse_folder(path: str) -> Path:
    """Return an absolute path, because this process and the emulator have different working directories."""
    return Path(path).resolve()


# Each command imports its modules when it runs. A preview, for example, does not need boto3, whose import would take
# longer than the preview.


def _preview(options: argparse.Namespace) -> int:
    from local.preview import report  # noqa: PLC0415

    return report.command(options.stack, as_json=options.json, sarif_file=options.sarif)


def _cost(options: argparse.Namespace) -> int:
    from local.preview import cost  # noqa: PLC0415

    return cost.command(options.stack, as_json=options.json, free_tiers=options.free, verbose=options.verbose)


def _cost_diff(options: argparse.Namespace) -> int:
    from local.preview import cost_difference  # noqa: PLC0415

    return cost_difference.command(options.before, options.after, stack=options.stack, as_json=options.json)


def _plan(options: argparse.Namespace) -> int:
    from local import deployment_approval_plan  # noqa: PLC0415

    return deployment_approval_plan.command(options.stack)


def _generate(options: argparse.Namespace) -> int:
    from local.generate import generated_files, surface_tables  # noqa: PLC0415

    if options.what == "surface":
        return surface_tables.command()
    files = {"schemas": generated_files.INTERFACES, "pages": generated_files.PAGES, "all": generated_files.FILES}
    return generated_files.command(files[options.what], check=options.check)


def _up(options: argparse.Namespace) -> int:
    from local.platform import emulator, frontend_file, lifecycle  # noqa: PLC0415

    folder = options.folder or emulator.FOLDER
    status = lifecycle.up(folder=folder, verbose=options.verbose)
    frontend_file.update_frontend_file(folder)
    return status


def _down(options: argparse.Namespace) -> int:
    from local.platform import emulator, frontend_file, lifecycle  # noqa: PLC0415

    folder = options.folder or emulator.FOLDER
    status = lifecycle.down(folder)
    frontend_file.update_frontend_file(folder)
    return status


def _provider(options: argparse.Namespace) -> int:
    from local.platform import provider_server  # noqa: PLC0415

    return provider_server.command(options.folder or provider_server.FOLDER)


def _push(options: argparse.Namespace) -> int:
    started = time.monotonic()  # The printed duration includes the imports below, which take most of the time.
    from local.platform import emulator, push  # noqa: PLC0415

    return push.push(options.folder or emulator.FOLDER, options.functions, started)


def _watch(options: argparse.Namespace) -> int:
    started = time.monotonic()
    from local.platform import emulator, watch  # noqa: PLC0415

    return watch.watch(options.folder or emulator.FOLDER, options.functions, started)


def _demo(options: argparse.Namespace) -> int:
    from local.flows import demo  # noqa: PLC0415

    return demo.command(options.flow)


def _samples(options: argparse.Namespace) -> int:
    from local.flows import sample_files  # noqa: PLC0415

    return sample_files.command(options.folder or sample_files.FOLDER)


def _layers(_options: argparse.Namespace) -> int:
    from local.generate import lambda_layer_archive  # noqa: PLC0415

    return lambda_layer_archive.command()


def _outputs(options: argparse.Namespace) -> int:
    from local.platform import emulator, frontend_file  # noqa: PLC0415

    return frontend_file.write_frontend_file(options.folder or emulator.FOLDER)


def _console(options: argparse.Namespace) -> int:
    from local import console_server  # noqa: PLC0415
    from local.platform import emulator  # noqa: PLC0415

    return console_server.command(options.folder or emulator.FOLDER)


def prepare() -> None:
    """Configure this process to run the Pulumi program quickly."""
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    pulumi_aws_import_hook.install()


def _leave(status: int) -> NoReturn:
    """End the process without cleaning up, because freeing a program's objects would take more than a second."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    survive_closed_output()
    prepare()
    _leave(main())
