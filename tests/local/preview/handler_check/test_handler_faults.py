"""Tests of the check that the code of functions and jobs can start. The archives here contain only a few modules."""

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi_aws import batch, glue, lambda_, s3

from components.handler_archive import LAYER_LOCK
from local import ROOT
from local.preview import program_run, stack_files
from local.preview.handler_check import entry_points
from local.preview.handler_check.entry_points import list_entry_points
from local.preview.handler_check.handler_faults import find_handler_faults
from local.preview.handler_check.importable_modules import read_locked_packages
from local.preview.preview_provider import PreviewProvider
from local.preview.resource_graph import Graph
from local.preview.stack_files import StackConfig
from tests.whole_program import ONE_WORKER, graph

HANDLER = "handlers/one/handler.py"
ENTRY = "handlers.one.handler.handler"
DEFINITION = "def handler(event, context): ...\n"
SHARED = "handlers/common/shared.py"
FILES = {
    "handlers/__init__.py": "",
    "handlers/one/__init__.py": "",
    "handlers/common/__init__.py": "",
    SHARED: "LIMIT = 1\n",
}
DOCKERFILE = """FROM python:3.13.12-slim-trixie
COPY requirements/media.txt /tmp/media.txt
COPY handlers/__init__.py /app/handlers/__init__.py
COPY handlers/meetings /app/handlers/meetings
ENTRYPOINT ["python", "-m", "handlers.meetings.media_job"]
"""


def write_zip(folder: Path, files: Mapping[str, str]) -> str:
    """Write an archive and return its path."""
    path = folder / "handlers.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return str(path)


def register(program: Callable[[], object]) -> Graph:
    """Return the resources of a program."""
    return program_run.run_function(
        program, StackConfig("polyphony", "test", {}), PreviewProvider(), preview=True
    ).graph


def register_function(folder: Path, files: Mapping[str, str], entry: str = ENTRY, **inputs: Any) -> Graph:
    """Return the resources of a program with one function, which has Python 3.13, the layer and these files."""
    path = write_zip(folder, files)
    inputs = {"runtime": "python3.13", "layers": ["arn:aws:lambda:us-east-1:123456789012:layer:handlers:1"], **inputs}
    return register(
        lambda: lambda_.Function("one", handler=entry, role="role", code=pulumi.FileArchive(path), **inputs)
    )


def list_faults(resources: Graph) -> list[str]:
    """Return each fault as `file:line: problem`."""
    return [f"{fault.file}:{fault.line}: {fault.problem}" for fault in find_handler_faults(resources)]


@pytest.mark.parametrize(
    ("code", "line", "problem"),
    [
        ("def broken(:", 2, "syntax error: invalid syntax"),
        ("x = 1\0", 1, "syntax error: source code string cannot contain null bytes"),
        ("import requests", 2, "neither requirements/layer.txt nor Python 3.13 provides the module requests"),
        # Python 3.11, which may run this test, still has this module.
        ("import cgi", 2, "neither requirements/layer.txt nor Python 3.13 provides the module cgi"),
        ("import boto3.nothing", 2, "neither requirements/layer.txt nor Python 3.13 provides the module boto3.nothing"),
        ("import json.nothing", 2, "neither requirements/layer.txt nor Python 3.13 provides the module json.nothing"),
        ("from json import lods", 2, "json has no lods"),
        ("from botocore.exceptions import Eror", 2, "botocore.exceptions of requirements/layer.txt has no Eror"),
        ("from handlers.common import sharing", 2, "handlers/common/__init__.py does not define sharing"),
        ("from handlers.common.shared import LIMITS", 2, f"{SHARED} does not define LIMITS"),
        ("from ..common.shared import LIMITS", 2, f"{SHARED} does not define LIMITS"),
        ("def f():\n    import handlers.common.lazy", 3, "the module handlers.common.lazy is not in ARCHIVE"),
        ("class A:\n    x = undefined", 3, "the name undefined is not defined"),
        ("def f():\n    return undefined", 3, "the name undefined is not defined"),
        ("x = later\nlater = 1", 2, "the name later is not defined"),
        (
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from stubs import A\ndef f(x: A): ...",
            5,
            "the name A is not defined",
        ),
    ],
)
def test_a_fault_of_a_handler_is_found_with_file_and_line(tmp_path: Path, code: str, line: int, problem: str) -> None:
    resources = register_function(tmp_path, {**FILES, HANDLER: f"{DEFINITION}{code}\n"})
    archive = str(tmp_path / "handlers.zip")
    assert list_faults(resources) == [f"{HANDLER}:{line}: {problem.replace('ARCHIVE', archive)}"]


@pytest.mark.parametrize(
    "code",
    [
        "import boto3, jwt, dateutil.tz, _cffi_backend, xml.etree.ElementTree",
        "from botocore.exceptions import ClientError\nfrom pydantic import BaseModel\nfrom concurrent import futures",
        "from handlers.common import shared\nfrom handlers.common.shared import LIMIT\nfrom ..common import shared as s",
        "try:\n    import orjson\nexcept ImportError:\n    orjson = None",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from stubs import A\ndef f(x: 'A'):\n    y: A = x",
        "from handlers.common.shared import *\nx = LIMIT",
        "def f():\n    global count\n    count = 1\ndef g():\n    return count, later, __file__\nlater = 1",
        "class A:\n    x = 1\n    y = x\n    def f(self):\n        return __class__, [z for z in self.x if (w := z)]",
        "match 1:\n    case int(n):\n        print(n, [m for m in (1, 2)])\nx: int = 3",
    ],
)
def test_valid_code_has_no_fault(tmp_path: Path, code: str) -> None:
    assert list_faults(register_function(tmp_path, {**FILES, HANDLER: f"{DEFINITION}{code}\n"})) == []


def test_only_modules_that_the_entry_point_imports_are_checked(tmp_path: Path) -> None:
    files = {
        **FILES,
        HANDLER: "def handler(event, context):\n    from handlers.common import shared\n",
        SHARED: "import nothing",
    }
    resources = register_function(tmp_path, {**files, "handlers/one/unused.py": "import nothing"})
    assert list_faults(resources) == [
        f"{SHARED}:1: neither requirements/layer.txt nor Python 3.13 provides the module nothing"
    ]


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (
            "handlers.one.handler.handel",
            f"the entry point handlers.one.handler.handel does not exist: {HANDLER} has no handel",
        ),
        ("handlers.one.handling.handler", "ARCHIVE has no module handlers.one.handling"),
    ],
)
def test_an_entry_point_that_does_not_exist_is_a_fault(tmp_path: Path, entry: str, problem: str) -> None:
    archive = str(tmp_path / "handlers.zip")
    resources = register_function(tmp_path, {**FILES, HANDLER: DEFINITION}, entry)
    assert list_faults(resources) == [f"{archive}:1: {problem.replace('ARCHIVE', archive)}"]


def test_a_function_without_the_layer_cannot_import_its_packages(tmp_path: Path) -> None:
    [fault] = list_faults(register_function(tmp_path, {**FILES, HANDLER: f"import boto3\n{DEFINITION}"}, layers=[]))
    assert fault.endswith("provides the module boto3")


def test_a_spark_job_can_import_the_packages_of_glue_and_its_own_library(tmp_path: Path) -> None:
    library, script = write_zip(tmp_path, FILES), tmp_path / "job.py"
    script.write_text(
        "import boto3, pyarrow.parquet\nfrom pyspark.sql import SparkSession\nfrom handlers.common.shared import LIMIT\n"
        "import pydantic\nfrom handlers.common.shared import LIMITS\n"
    )

    def program() -> None:
        for key, path in (("job.py", str(script)), ("handlers.zip", library)):
            s3.BucketObjectv2(key, bucket="lake", key=key, source=pulumi.FileAsset(path))
        glue.Job(
            "job",
            role_arn="role",
            command={"script_location": "s3://lake/job.py"},
            default_arguments={"--extra-py-files": "s3://lake/handlers.zip"},
        )

    assert list_faults(register(program)) == [
        f"{script}:4: neither Glue nor Python 3.11 provides the module pydantic",
        f"{script}:5: {SHARED} does not define LIMITS",
    ]


def test_a_batch_job_can_import_only_the_content_of_its_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "handlers/__init__.py": "",
        "handlers/meetings/__init__.py": "",
        "handlers/meetings/media_job/Dockerfile": DOCKERFILE,
        "handlers/meetings/media_job/__init__.py": "",
        "handlers/meetings/media_job/__main__.py": "import boto3\nimport jwt\nimport handlers.common\n",
        "requirements/media.txt": (ROOT / "requirements/media.txt").read_text(),
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(entry_points, "ROOT", tmp_path)
    monkeypatch.setattr("local.preview.handler_check.importable_modules.ROOT", tmp_path)
    resources = register(lambda: batch.JobDefinition("job", type="container", tags={"Subsystem": "meetings"}))
    path = "handlers/meetings/media_job/__main__.py"
    assert list_faults(resources) == [
        f"{path}:2: neither requirements/media.txt nor Python 3.13 provides the module jwt",
        f"{path}:3: the module handlers.common is not in handlers/meetings/media_job/Dockerfile",
    ]


@ONE_WORKER
@pytest.mark.parametrize("stack", stack_files.list_stacks())
def test_every_function_and_job_of_a_stack_is_checked(stack: str) -> None:
    kinds = {"aws:lambda/function:Function", "aws:glue/job:Job", "aws:batch/jobDefinition:JobDefinition"}
    expected = {resource.urn for resource in graph(stack).customs() if resource.type in kinds}
    assert {entry_point.urn for entry_point in list_entry_points(graph(stack))} == expected
    assert len(expected) > 15


@pytest.mark.parametrize("lock", [LAYER_LOCK, ROOT / "requirements" / "media.txt"])
def test_the_modules_of_all_locked_packages_are_known(lock: Path) -> None:
    packages = read_locked_packages(lock)
    assert not packages.unknown, "install the packages into .venv too (requirements/tools.in)"
    assert packages.may_contain("aws_lambda_powertools.logging.formatter")
