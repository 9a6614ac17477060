"""Benchmark of the imports of Lambda functions at a cold start, with and without a compiled layer.

Python normally keeps compiled modules (.pyc files) next to their sources, but a function cannot write into its zip or
layer. So Python compiles all modules again at each cold start, unless the layer contains them in compiled form. boto3
and the standard library belong to the runtime and are compiled. Each measurement is a new process. boto3 is imported
first and counted separately.
"""

import compileall
import io
import json
import py_compile
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from importlib.metadata import distribution
from pathlib import Path
from typing import NamedTuple

from benchmarks.benchmark_report import percentile, print_heading, print_table
from components.blocks.compute.handler_archive import zip_handlers
from local import ROOT

ROUNDS = 9
"""Number of processes per function and kind of layer."""
FUNCTIONS = {
    "meetings: token exchange": "handlers.meetings.auth_exchange.handler",
    "transcription: audio processor": "handlers.transcription.audio_processor.handler",
    "transcription: router": "handlers.transcription.router.handler",
    "voice Q&A: WebSocket handler": "handlers.voice_qa.websocket_handler.handler",
    "voice Q&A: query worker": "handlers.voice_qa.query_worker.handler",
    "livestream: API": "handlers.livestream.episodes_api.handler",
    "livestream: authorizer": "handlers.livestream.authorizer.handler",
}
"""Functions whose answers a client waits for."""
LOCKED_NAME = re.compile(r"^([a-z0-9_.-]+)==", re.MULTILINE)
"""Name of a package in a requirements file with exact versions."""

IMPORT = """
import importlib, json, sys, time
sys.path.insert(0, sys.argv[1])
started = time.process_time()
import boto3, botocore.auth, botocore.awsrequest, botocore.config, botocore.credentials, botocore.exceptions
with_boto3 = time.process_time()
module = importlib.import_module(sys.argv[2])
ended = time.process_time()
assert module.__file__.startswith(sys.argv[1])
[peak] = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:")]
print(json.dumps([1000 * (with_boto3 - started), 1000 * (ended - with_boto3), int(peak) / 1024]))
"""
"""Program that imports a module from a folder, and prints the three values of `ImportUse`."""


class ImportUse(NamedTuple):
    """Resources that a new process used for its imports."""

    boto3_ms: float
    """Processor milliseconds for the import of boto3."""
    module_ms: float
    """Processor milliseconds for the import of the module after boto3."""
    memory_mb: float
    """Peak memory."""


def unpack_sources(folder: Path) -> None:
    """Write the sources of the functions' zips, and of the layer, into the folder."""
    for subsystem in {module.split(".")[1] for module in FUNCTIONS.values()}:
        zipfile.ZipFile(io.BytesIO(zip_handlers(subsystem))).extractall(folder)
    for name in LOCKED_NAME.findall((ROOT / "requirements" / "layer.txt").read_text()):
        for file in distribution(name).files or ():
            if ".." not in file.parts and file.suffix != ".pyc":
                target = folder / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(str(file.locate()), target)


def compile_layer(folder: Path) -> None:
    """Compile everything except the handlers, as `make layers` does."""
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(folder, quiet=2, rx=re.compile(r"/handlers/"), invalidation_mode=mode)


def measure_import(folder: Path, module: str) -> ImportUse:
    """Import a module from a folder in a new process."""
    command = [sys.executable, "-I", "-B", "-c", IMPORT, str(folder), module]
    done = subprocess.run(command, env={}, cwd=folder, check=True, capture_output=True, text=True)
    return ImportUse(*json.loads(done.stdout))


def to_row(from_sources: Sequence[ImportUse], from_compiled: Sequence[ImportUse]) -> dict[str, float | str]:
    """Return the medians of a function's imports without and with a compiled layer."""
    values = {
        "boto3, ms": [use.boto3_ms for use in from_compiled],
        "layer not compiled, ms": [use.module_ms for use in from_sources],
        "layer compiled, ms": [use.module_ms for use in from_compiled],
        "peak memory, MB": [use.memory_mb for use in from_compiled],
    }
    return {column: round(percentile(column_values, 0.5)) for column, column_values in values.items()}


def main() -> None:
    """Print one row per function."""
    print_heading("Cold starts")
    with tempfile.TemporaryDirectory() as temporary:
        sources, compiled = Path(temporary, "sources"), Path(temporary, "compiled")
        unpack_sources(sources)
        shutil.copytree(sources, compiled)
        compile_layer(compiled)
        from_sources: dict[str, list[ImportUse]] = {name: [] for name in FUNCTIONS}
        from_compiled: dict[str, list[ImportUse]] = {name: [] for name in FUNCTIONS}
        for _ in range(ROUNDS):
            for name, module in FUNCTIONS.items():
                from_sources[name].append(measure_import(sources, module))
                from_compiled[name].append(measure_import(compiled, module))
    print_table({name: to_row(from_sources[name], from_compiled[name]) for name in FUNCTIONS})


if __name__ == "__main__":
    main()
