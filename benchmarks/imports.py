"""What functions load before they can do anything, and hold by then: fresh processes, with and without compiled modules.

They are those that somebody waits for, and livestream's other three.

The modules are those of the deployed zip and of the layer's lock. Lambda's file systems for both can only be read, so
what is not compiled there is compiled at each cold start; boto3 and the standard library are the runtime's and
compiled. `make layers` compiles the layer where it finds the runtime's own Python; zips hold sources alone.
"""

import compileall
import io
import json
import os
import py_compile
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import zipfile
from importlib.metadata import distribution
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.figures import verdict
from components.blocks.archive import ROOT, zipped

ROUNDS = 9
AIM_MS = 200
FUNCTIONS = {
    "meetings.auth_exchange": "_rest",
    "transcription.audio_processor": "_processor",
    "transcription.router": "_router",
    "voice_qa.websocket_handler": "_handler",
    "voice_qa.query_worker": "_worker",
    "livestream.api": "_rest",
    "livestream.authorizer": "_authorizer",
    "livestream.video_handler": "_processing",
    "livestream.transcript_handler": "_starting",
    "livestream.agent_handler": "_worker",
    "meetings.bedrock_summarize": "_summarizer",
}
"""Module, and what in it makes what a container keeps."""
COMPILED = {"sources": None, "layer compiled": r"/handlers/", "compiled": r"(?!)"}
"""Which modules are left as they are; none leaves them all."""
RUNTIME = ("boto3", "botocore", "s3transfer", "urllib3", "dateutil", "six", "jmespath")
LOCKED = re.compile(r"^([a-z0-9_.-]+)==", re.MULTILINE)
"""A line of the layer's lock."""
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "x",
    "AWS_SECRET_ACCESS_KEY": "x",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_LAMBDA_FUNCTION_NAME": "function",
    "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI": "https://localhost",
    "SESSIONS_TABLE_NAME": "sessions",
    "LIVE_TABLE_NAME": "live",
    "PROCESSOR": "arn:aws:lambda:us-east-1:000000000000:function:processor:live",
    "AUTH": "none",
    "S3_BUCKET": "audio",
    "DYNAMODB_TABLE": "sessions",
    "WORKER": "arn:aws:lambda:us-east-1:000000000000:function:worker:live",
    "IDENTITY_POOL": "us-east-1:00000000-0000-0000-0000-000000000000",
    "AGENTCORE_ENDPOINT": "http://127.0.0.1:5000",
    "TABLE_NAME": "episodes",
    "BUCKET_NAME": "transcripts",
    "EVENT_SOURCE": "polyphony.livestream",
    "ENCRYPTION_KEY": "/polyphony/cursors",
    "ISSUER": "https://localhost/",
    "AUDIENCE": "polyphony",
    "JWKS_URL": "https://localhost/keys",
    "MEDIACONVERT_ROLE_ARN": "arn:aws:iam::000000000000:role/cutting",
    "AGENT_QUEUE_URL": "https://localhost/windows",
    "MEMORY_ID": "memory",
    "MODEL_ID": "us.model",
    "CLIENT_ROLE": "arn:aws:iam::000000000000:role/client",
    "STACK": "test",
    "PATH": os.environ["PATH"],
}

# boto3 first, with all that the handlers take of it: what they load then is their own and the layer's. Of the processor,
# so that others who want it too count for little.
LOADING = """
import importlib, json, sys, time
sys.path.insert(0, sys.argv[1])
begun = time.process_time()
import boto3, botocore.auth, botocore.awsrequest, botocore.config, botocore.credentials, botocore.exceptions
with_boto3, known = time.process_time(), {one for one in sys.modules if one.startswith("boto")}
module = importlib.import_module("handlers." + sys.argv[2])
loaded = time.process_time()
assert {one for one in sys.modules if one.startswith("boto")} == known
assert module.__file__.startswith(sys.argv[1])
getattr(module, sys.argv[3])()
ready = time.process_time()
took = {"boto3": with_boto3 - begun, "own and layer": loaded - with_boto3, "clients": ready - loaded}
[peak] = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:")]
print(json.dumps({**{name: 1000 * seconds for name, seconds in took.items()}, "peak MB": int(peak) / 1024}))
"""


def unpacked(folder: Path) -> None:
    """The zips' files, and the layer's as sources."""
    for subsystem in sorted({name.partition(".")[0] for name in FUNCTIONS}):
        zipfile.ZipFile(io.BytesIO(zipped(subsystem))).extractall(folder)
    for name in LOCKED.findall((ROOT / "requirements" / "layer.txt").read_text()):
        for file in distribution(name).files or ():
            if ".." not in file.parts and file.suffix != ".pyc":
                target = folder / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(str(file.locate()), target)


def loaded(folder: Path, module: str) -> dict[str, float]:
    """Milliseconds of one fresh process, and the most that it held."""
    command = [sys.executable, "-I", "-B", "-c", LOADING, str(folder), module, FUNCTIONS[module]]
    done = subprocess.run(command, env=ENVIRONMENT, cwd=folder, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def shares(folder: Path, module: str) -> dict[str, float]:
    """Milliseconds of each origin's own modules, as the interpreter times them, in whatever order they come."""
    code = f"import sys; sys.path.insert(0, {str(folder)!r}); import handlers.{module}"
    command = [sys.executable, "-I", "-B", "-X", "importtime", "-c", code]
    done = subprocess.run(command, env=ENVIRONMENT, cwd=folder, check=True, capture_output=True, text=True)
    found = {"handlers": 0.0, "the layer": 0.0, "boto3": 0.0, "standard library": 0.0}
    for line in done.stderr.splitlines():
        own, _, name = line.removeprefix("import time:").split("|")
        if own.strip().isdecimal():
            found[_origin(name.strip().partition(".")[0], folder)] += int(own) / 1000
    return found


def _origin(package: str, folder: Path) -> str:
    if package in {"handlers", "boto3"}:
        return package
    if package in RUNTIME:
        return "boto3"
    return "the layer" if any(folder.glob(f"{package}*")) else "standard library"


def main() -> None:
    """Prints two tables, of all functions or of those that are named."""
    with tempfile.TemporaryDirectory() as temporary:
        folders = {how: Path(temporary) / how.replace(" ", "-") for how in COMPILED}
        for how, folder in folders.items():
            unpacked(folder)
            if (skipped := COMPILED[how]) is not None:
                mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
                compileall.compile_dir(folder, quiet=2, rx=re.compile(skipped), invalidation_mode=mode)
        cases = [(module, how) for module in sys.argv[1:] or FUNCTIONS for how in folders]
        runs: dict[tuple[str, str], list[dict[str, float]]] = {case: [] for case in cases}
        parts: dict[tuple[str, str], list[dict[str, float]]] = {case: [] for case in cases}
        for number in range(ROUNDS + 1):
            for module, how in cases:
                times, origins = loaded(folders[how], module), shares(folders[how], module)
                if number:  # the first fills the file caches
                    runs[module, how].append({"import": times["boto3"] + times["own and layer"], **times})
                    parts[module, how].append(origins)
    print(f"milliseconds, medians of {ROUNDS} fresh processes\n")
    _table(runs)
    print("\nof the imports, as -X importtime tells them\n")
    _table(parts)
    medians = {case: statistics.median(run["own and layer"] for run in found) for case, found in runs.items()}
    print(f"\naim: own and layer < {AIM_MS} ms")
    for (module, how), milliseconds in medians.items():
        print(f"  {module}, {how}: {verdict(milliseconds, AIM_MS)}")


def _table(runs: dict[tuple[str, str], list[dict[str, float]]]) -> None:
    columns = list(next(iter(runs.values()))[0])
    print(f"{'':42}" + "".join(name.rjust(18) for name in columns))
    for (module, how), found in runs.items():
        medians = (statistics.median(run[name] for run in found) for name in columns)
        print(f"{module + ', ' + how:42}" + "".join(f"{one:18.0f}" for one in medians))


if __name__ == "__main__":
    main()
