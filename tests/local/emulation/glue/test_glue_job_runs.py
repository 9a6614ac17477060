"""Tests of Glue job runs without Spark. The end-to-end tests of ingestion run jobs with Spark."""

from pathlib import Path

from tests.local.emulation.emulator_python import run_in_emulator_python

SCRIPT = """
import json
from pathlib import Path
from local.emulation import get_private
from local.emulation.glue import glue_job_runs, spark_process
spark_process.ENVIRONMENT = Path(json.load(sys.stdin))
get_private(glue_job_runs.glue, "_jobs")["ingest"] = {}
try:
    glue_job_runs.GlueJobRuns(spark_process.ENVIRONMENT).run({"JobName": "ingest"})
except Exception as error:
    print(json.dumps([type(error).__name__, str(error)]))
"""


def test_a_run_without_spark_fails_and_names_the_command_that_installs_it(tmp_path: Path) -> None:
    _, error = run_in_emulator_python(SCRIPT, str(tmp_path))
    assert "`make .venv-spark/.locked` installs it. Then upload the files again." in error
    assert error.endswith((tmp_path / "glue.log").read_text().rstrip())
