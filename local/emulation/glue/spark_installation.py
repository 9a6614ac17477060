"""Installation of Spark's virtual environment by the emulator, before the first run of a Glue job.

Spark is the largest download of the local platform, and only ingestion needs it. So `make up` does not install it. The
emulator runs the same program as the Makefile, whose lock prevents two installations at the same time.
"""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from local import ROOT
from local.environment_installation import STAMP

FOLDER, LOCK_FILE = ".venv-spark", "requirements/spark.txt"
LOG = "spark-installation.log"
"""Name of the file with the installer's output, in the folder of the platform's files."""
PIP_MESSAGES = ("WARNING:", "ERROR:")
"""Prefixes of pip's own warnings and errors in the log."""
VARIABLE = "POLYPHONY_INSTALLATION_ENVIRONMENT"
"""Environment variable that passes the user's variables for pip, as JSON, to the launcher. The launcher removes it, so
that handlers do not get it."""
PIP_VARIABLES = re.compile(r"HOME|PATH|TMPDIR|LANG|LC_ALL|PIP_\w+|\w+_PROXY|SSL_CERT_\w+|\w+_CA_BUNDLE|XDG_\w+")
"""Names in upper case of the variables that determine how pip finds packages. Names in lower case match too."""


class SparkNotInstalled(Exception):
    """Spark's environment could not be installed. The message names the log."""


def is_installed() -> bool:
    """Return True if the installation of Spark's environment is complete."""
    return (ROOT / FOLDER / STAMP).exists()


def read_progress(folder: Path) -> str | None:
    """Return the last line of the log of a running or failed installation. `folder` contains the platform's files.

    Return None if Spark is installed, or the platform has not started its installation. Warnings and errors of pip are
    skipped, because the installer's own message follows them if the installation fails.
    """
    log = folder / LOG
    if is_installed() or not log.exists():
        return None
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line and not line.startswith(PIP_MESSAGES)), None)


def collect_pip_variables(environment: Mapping[str, str]) -> str:
    """Return the variables that pip needs as the value of `VARIABLE`."""
    return json.dumps({name: value for name, value in environment.items() if PIP_VARIABLES.fullmatch(name.upper())})


class SparkInstallation:
    """Installation of Spark's environment with the user's variables."""

    def __init__(self, log_folder: Path) -> None:
        """The output is written to `spark-installation.log` in `log_folder`."""
        self._log = log_folder / LOG
        self._variables: dict[str, str] = json.loads(os.environ.pop(VARIABLE, "{}"))
        self._lock = threading.Lock()

    def install_if_missing(self) -> None:
        """Install the environment unless it is complete. Raise SparkNotInstalled if that fails."""
        with self._lock:
            if is_installed():
                return
            print(f"Spark is not installed yet. Its installation is logged in {self._log}.", flush=True)
            installer = [sys.executable, str(ROOT / "local" / "environment_installation.py"), FOLDER, LOCK_FILE]
            with self._log.open("wb") as log:
                process = subprocess.run(
                    installer, cwd=ROOT, env=self._variables, stdout=log, stderr=subprocess.STDOUT, check=False
                )
            if process.returncode:
                raise SparkNotInstalled(
                    f"Spark could not be installed; {self._log} shows why. Correct the cause, then upload the file again."
                )
