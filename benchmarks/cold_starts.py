"""Benchmark of the imports of Lambda functions at a cold start, with and without a compiled layer.

Lambda cannot write compiled modules next to the sources of a zip or layer. So it compiles all modules again at each
cold start, unless the layer contains them in compiled form. boto3 and the standard library belong to the runtime and
are compiled. Each measurement is a new process. boto3 is imported first and counted separately.
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
from importlib.metadata import distribution
from pathlib import Path

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
"""Program that imports a module from a folder, and prints milliseconds for boto3 and for the module, and the memory."""


def unpack_sources(folder: Path) -> None:
    """Write the sources of all zips and of the layer."""
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


def time_import(folder: Path, module: str) -> list[float]:
    """Return the processor milliseconds for boto3 and for the module, and the peak memory in MB, of a new process."""
    command = [sys.executable, "-I", "-B", "-c", IMPORT, str(folder), module]
    done = subprocess.run(command, env={}, cwd=folder, check=True, capture_output=True, text=True)
    measured: list[float] = json.loads(done.stdout)
    return measured


def main() -> None:
    """Print one row per function."""
    print_heading("Cold starts")
    with tempfile.TemporaryDirectory() as temporary:
        sources, compiled = Path(temporary, "sources"), Path(temporary, "compiled")
        unpack_sources(sources)
        shutil.copytree(sources, compiled)
        compile_layer(compiled)
        runs = [
            {name: time_import(sources, module) + time_import(compiled, module) for name, module in FUNCTIONS.items()}
            for _ in range(ROUNDS)
        ]
    # Positions in the figures of both imports: boto3, module and memory, first not compiled, then compiled.
    columns = {"boto3, ms": 3, "layer not compiled, ms": 1, "layer compiled, ms": 4, "peak memory, MB": 5}
    print_table(
        {
            name: {
                column: round(percentile([run[name][index] for run in runs], 0.5)) for column, index in columns.items()
            }
            for name in FUNCTIONS
        }
    )


if __name__ == "__main__":
    main()
