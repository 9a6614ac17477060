"""Modules with which the Lambda functions and the Spark job of the project start."""

from local import ROOT

SPARK_JOB = "handlers.ingestion.glue.job"
ENTRY_MODULES = [
    *(f"handlers.{path.parts[-3]}.{path.parts[-2]}.handler" for path in sorted(ROOT.glob("handlers/*/*/handler.py"))),
    SPARK_JOB,
]
