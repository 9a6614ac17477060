"""Tests of the installation of Spark for the first local Glue run, with a fake installer."""

import json
import os
from pathlib import Path

import pytest

from local.emulation.glue import spark_installation
from local.emulation.glue.spark_installation import SparkInstallation, SparkNotInstalled, collect_pip_variables

INSTALLER = """
import json, os, pathlib, sys
with open("calls.txt", "a") as calls:
    calls.write(json.dumps([sys.argv[1:], dict(os.environ)]) + "\\n")
print("  .venv-spark: package 1 of 17", flush=True)
print("WARNING: Retrying", flush=True)
if os.path.exists("offline"):
    sys.exit("no connection")
pathlib.Path(sys.argv[1]).mkdir()
pathlib.Path(sys.argv[1], ".locked").touch()
"""
"""Installer that records its arguments and environment variables. It fails if there is a file `offline`."""
USER_VARIABLES = {
    "HOME": "/home/ann",
    "PIP_INDEX_URL": "https://user:secret@index.example.com/",
    "https_proxy": "http://proxy.example.com",
    "AWS_SECRET_ACCESS_KEY": "x",
    "PYTHONPATH": "/x",
}


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "local").mkdir()
    (tmp_path / "local" / "virtual_environment_installation.py").write_text(INSTALLER)
    monkeypatch.setattr(spark_installation, "ROOT", tmp_path)
    monkeypatch.setenv(spark_installation.PIP_SETTINGS_VARIABLE, collect_pip_variables(USER_VARIABLES))
    return tmp_path


def test_the_first_run_installs_spark_with_the_users_variables_and_the_second_does_not(checkout: Path) -> None:
    installation = SparkInstallation(checkout)
    assert spark_installation.PIP_SETTINGS_VARIABLE not in os.environ, "handlers must not get the user's variables"
    assert not spark_installation.is_installed()
    installation.install_if_missing()
    installation.install_if_missing()
    assert spark_installation.is_installed()
    [call] = (checkout / "calls.txt").read_text().splitlines()
    arguments, variables = json.loads(call)
    assert arguments == [".venv-spark", "requirements/spark.txt"]
    passed_variables = {**USER_VARIABLES, "AWS_SECRET_ACCESS_KEY": None, "PYTHONPATH": None}
    assert {name: variables.get(name) for name in USER_VARIABLES} == passed_variables
    assert spark_installation.read_progress(checkout) is None, "the installation has ended"


def test_the_error_of_a_failed_installation_names_the_log_and_the_next_run_repeats_it(checkout: Path) -> None:
    (checkout / "offline").touch()
    installation = SparkInstallation(checkout)
    assert spark_installation.read_progress(checkout) is None, "no installation has started"
    with pytest.raises(SparkNotInstalled, match=r"spark-installation\.log shows why"):
        installation.install_if_missing()
    assert spark_installation.read_progress(checkout) == "no connection", "this is the last line of the log"
    with (checkout / spark_installation.LOG).open("a") as log:
        log.write("  .venv-spark: package 2 of 17\nERROR: x\n")
    assert spark_installation.read_progress(checkout) == ".venv-spark: package 2 of 17", "errors of pip are skipped"
    (checkout / "offline").unlink()
    installation.install_if_missing()
    assert spark_installation.is_installed()
