"""Runs the services that the emulator lacks: one process beside it, in its process group, gone when it is.

The emulator's environment tells every handler where they are, by the variables that the AWS SDKs read.
"""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STREAMING = "AWS_ENDPOINT_URL_TRANSCRIBE_STREAMING"
AGENT = "AGENTCORE_ENDPOINT"
KEYS = "JWKS_URL"
"""Where handlers find the identity provider's keys whose deployment does not say."""
AGENT_PER_MINUTE = 600
"""Questions a minute: tests ask many."""
_running: "list[subprocess.Popen[bytes]]" = []
"""Kept, because a process that nobody refers to loses its input, and takes that for the end."""


def started() -> dict[str, str]:
    """Starts them, and says which variables lead to them."""
    process = subprocess.Popen(
        [sys.executable, "-P", str(Path(__file__).resolve())], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    _running.append(process)
    if process.stdout is None:
        raise RuntimeError("the services have no output to say where they are")
    line = process.stdout.readline()
    if not line:
        raise RuntimeError("the local services did not start; what they said is in the emulator's log")
    found: dict[str, str] = json.loads(line)
    return found


async def _serve() -> None:
    # Once the project is on the path.
    from local import LOOPBACK  # noqa: PLC0415
    from local.services import agentcore, login, transcribe  # noqa: PLC0415

    async with transcribe.serve() as transcribe_port, agentcore.serve(per_minute=AGENT_PER_MINUTE) as agent_port:
        with login.serve() as login_port:
            found = {
                STREAMING: f"ws://{LOOPBACK}:{transcribe_port}",
                AGENT: f"http://{LOOPBACK}:{agent_port}",
                KEYS: f"http://{LOOPBACK}:{login_port}{login.KEYS}",
            }
            print(json.dumps(found), flush=True)
            # Whoever started them holds the other end of this pipe, and lets go of it when it ends.
            await asyncio.get_running_loop().run_in_executor(None, os.read, sys.stdin.fileno(), 1)


if __name__ == "__main__":
    sys.path.append(str(ROOT))
    asyncio.run(_serve())
