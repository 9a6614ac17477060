"""Installs Spark's virtual environment before the first run of a Glue job.

Spark is the largest download of the local platform, and only ingestion needs it. So `make up` does not install it, but
the emulator does, with the same program as the Makefile. That program prevents two installations at the same time.
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
from local.virtual_environment_installation import STAMP

FOLDER, LOCK_FILE = ".venv-spark", "requirements/spark.txt"
LOG = "spark-installation.log"
"""Name of the file with the output of the installing program, in the folder of the platform's files."""
PIP_MESSAGES = ("WARNING:", "ERROR:")
"""Prefixes of pip's own warnings and errors in the log."""
PIP_SETTINGS_VARIABLE = "POLYPHONY_INSTALLATION_ENVIRONMENT"
"""Environment variable that passes the user's settings for pip, for example a proxy, to the emulator. Its value is a
JSON object of variables. The emulator removes it, so that handlers do not inherit it."""
PIP_VARIABLES = re.compile(r"HOME|PATH|TMPDIR|LANG|LC_ALL|PIP_\w+|\w+_PROXY|SSL_CERT_\w+|\w+_CA_BUNDLE|XDG_\w+")
"""Names of the environment variables that pip needs, in upper case. Their case is ignored."""


class SparkNotInstalled(Exception):
    """Spark's environment could not be installed. The message names the log."""


def is_installed() -> bool:
    return (ROOT / FOLDER / STAMP).exists()


def read_progress(folder: Path) -> str | None:
    """Return the last line in the log of a running or failed installation. Skip warnings and errors of pip.

    Return None if there is no other line, or if Spark is installed. `folder` contains the platform's files.
    """
    log = folder / LOG
    if is_installed() or not log.exists():
        return None
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line and not line.startswith(PIP_MESSAGES)), None)


def collect_pip_variables(environment: Mapping[str, str]) -> str:
    """Return the value of PIP_SETTINGS_VARIABLE: those variables of `environment` that pip needs."""
    return json.dumps({name: value for name, value in environment.items() if PIP_VARIABLES.fullmatch(name.upper())})


class SparkInstallation:
    def __init__(self, log_folder: Path) -> None:
        """Remove PIP_SETTINGS_VARIABLE from the environment. The log of the installation is written to `log_folder`."""
        self._log = log_folder / LOG
        self._variables: dict[str, str] = json.loads(os.environ.pop(PIP_SETTINGS_VARIABLE, "{}"))
        self._lock = threading.Lock()

    def install_if_missing(self) -> None:
        """Install the environment unless it is complete. Raise SparkNotInstalled if that fails."""
        with self._lock:
            if is_installed():
                return
            print(f"Spark is not installed yet. Its installation is logged in {self._log}.", flush=True)
            installer = [sys.executable, str(ROOT / "local" / "virtual_environment_installation.py"), FOLDER, LOCK_FILE]
            with self._log.open("wb") as log:
                process = subprocess.run(
                    installer, cwd=ROOT, env=self._variables, stdout=log, stderr=subprocess.STDOUT, check=False
                )
            if process.returncode:
                raise SparkNotInstalled(
                    f"Spark could not be installed; {self._log} shows why. Correct the cause, then upload the data file "
                    "again."
                )
