"""Program with the local services that need nothing from the emulator: Transcribe streaming, the voice Q&A agent, the
identity provider and the control server of faults.

`launcher.py`, which runs the emulator, starts this program as a child process by calling `start_services`. The launcher
passes the services' URLs to handlers in environment variables. If the launcher ends, this program ends too, and kills
the launcher's other child processes, for example Lambda workers.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STREAMING_VARIABLE = "AWS_ENDPOINT_URL_TRANSCRIBE_STREAMING"
AGENT_VARIABLE = "AGENTCORE_ENDPOINT"
KEYS_VARIABLE = "JWKS_URL"
"""Environment variable with the URL of the identity provider's keys, for handlers whose deployment does not set it."""


def start_services() -> "tuple[dict[str, str], subprocess.Popen[bytes]]":
    """Start this program. Return the environment variables with the services' URLs, and the process.

    The program ends when its standard input is closed, so the caller must keep the process object.
    """
    process = subprocess.Popen(
        [sys.executable, "-P", str(Path(__file__).resolve())], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    line = process.stdout.readline() if process.stdout else b""
    if not line:
        raise RuntimeError("the local services did not start: see their output in the emulator's log")
    variables: dict[str, str] = json.loads(line)
    return variables, process


async def _serve() -> None:
    # The main block below adds the project to the path before it calls this function.
    from local import LOOPBACK  # noqa: PLC0415
    from local.emulation import faults, identity_provider  # noqa: PLC0415
    from local.emulation.transcribe import streaming_service  # noqa: PLC0415
    from local.emulation.voice_qa_agent import agent_service  # noqa: PLC0415

    fault_source = faults.Faults()
    async with streaming_service.serve(fault_source) as transcribe_port:
        with (
            agent_service.serve(fault_source) as agent_port,
            identity_provider.serve() as provider_port,
            faults.serve(fault_source) as faults_port,
        ):
            variables = {
                faults.VARIABLE: f"http://{LOOPBACK}:{faults_port}",
                STREAMING_VARIABLE: f"ws://{LOOPBACK}:{transcribe_port}",
                AGENT_VARIABLE: f"http://{LOOPBACK}:{agent_port}",
                KEYS_VARIABLE: f"http://{LOOPBACK}:{provider_port}{identity_provider.KEYS_PATH}",
            }
            print(json.dumps(variables), flush=True)
            # Reading ends when the launcher ends, because the system then closes the other end of this pipe.
            await asyncio.get_running_loop().run_in_executor(None, os.read, sys.stdin.fileno(), 1)
            # The process group contains all child processes of the launcher.
            os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.path.append(str(ROOT))
    asyncio.run(_serve())
