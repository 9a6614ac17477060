"""Tests of Glue job runs without Spark. The end-to-end tests of ingestion run jobs with Spark."""

import json
import subprocess
from pathlib import Path

from local import ROOT
from local.platform.emulator import PYTHON

SCRIPT = """
import json, sys
sys.path.append(sys.argv[1])
from pathlib import Path
from local.emulation import get_private
from local.emulation.glue import glue_job_runs, spark_process
spark_process.ENVIRONMENT = Path(sys.argv[2])
get_private(glue_job_runs.glue, "_jobs")["ingest"] = {}
try:
    glue_job_runs.GlueJobRuns(spark_process.ENVIRONMENT).run({"JobName": "ingest"})
except Exception as error:
    print(json.dumps(str(error)))
"""


def test_a_run_without_spark_fails_and_names_the_command_that_installs_it(tmp_path: Path) -> None:
    command = [str(PYTHON), "-P", "-c", SCRIPT, str(ROOT), str(tmp_path)]
    process = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    error = json.loads(process.stdout)
    assert "`make .venv-spark/.locked` installs it. Then upload the files again." in error
    assert error.endswith((tmp_path / "glue.log").read_text().rstrip())
