"""Tests of the check that functions can start. The archives contain only a few modules."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import pulumi
import pytest
from pulumi_aws import lambda_

from local.preview import program_run
from local.preview.handler_check import FunctionCode, find_function_faults, find_handler_faults
from local.preview.preview_provider import PreviewProvider
from local.preview.stack_files import StackConfig

HANDLER = "handlers/one/handler.py"
ENTRY = "handlers.one.handler.handler"
DEFINITION = "def handler(event, context): ...\n"
SHARED = "handlers/common/shared.py"
FILES = {
    "handlers/__init__.py": "",
    "handlers/one/__init__.py": "",
    "handlers/common/__init__.py": "VERSION = 1\n",
    SHARED: "LIMIT = 1\n",
}


def write_zip(folder: Path, files: Mapping[str, str]) -> str:
    """Write an archive and return its path."""
    path = folder / "handlers.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {**FILES, **files}.items():
            archive.writestr(name, text)
    return str(path)


def list_faults(folder: Path, files: Mapping[str, str], entry: str = ENTRY, *, has_layer: bool = True) -> list[str]:
    """Return the faults of a function, with ARCHIVE in place of the archive's path."""
    path = write_zip(folder, files)
    faults = find_function_faults([FunctionCode("one", entry, path, has_layer)])
    return [str(fault).replace(path, "ARCHIVE").removesuffix(" (cannot run: one)") for fault in faults]


@pytest.mark.parametrize(
    ("code", "line", "problem"),
    [
        ("def broken(:", 2, "syntax error: invalid syntax"),
        ("return 1", 2, "syntax error: 'return' outside function"),
        ("x = 1\0", 1, "syntax error: source code string cannot contain null bytes"),
        (
            "import requests.auth",
            2,
            "neither requirements/layer.txt nor the standard library contains the module requests",
        ),
        # Python 3.11, which may run this test, still has this module.
        (
            "import cgi",
            2,
            "neither requirements/layer.txt nor the standard library contains the module cgi: add its package",
        ),
        ("if TYPE_CHECKING:\n    import stubs\nelse:\n    import requests", 5, "neither requirements/layer.txt nor"),
        ("def f():\n    import handlers.common.lazy", 3, "the module handlers.common.lazy is not in ARCHIVE: correct"),
        ("from handlers.common import sharing", 2, "the module handlers.common.sharing is not in ARCHIVE: correct"),
        ("from handlers.common.sharing import x", 2, "the module handlers.common.sharing is not in ARCHIVE: correct"),
    ],
)
def test_a_fault_is_found_with_file_and_line(tmp_path: Path, code: str, line: int, problem: str) -> None:
    [fault] = list_faults(tmp_path, {HANDLER: f"{DEFINITION}{code}\n"})
    assert fault.startswith(f"{HANDLER}:{line}: {problem}")


@pytest.mark.parametrize(
    "code",
    [
        "import json, boto3, jwt, dateutil.tz, six, _cffi_backend, xml.etree.ElementTree",
        "from handlers.common import VERSION, shared\nfrom handlers.common.shared import *",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from stubs import A",
    ],
)
def test_valid_code_has_no_fault(tmp_path: Path, code: str) -> None:
    assert list_faults(tmp_path, {HANDLER: f"{DEFINITION}{code}\n"}) == []


def test_only_modules_that_the_entry_point_imports_are_checked(tmp_path: Path) -> None:
    files = {
        HANDLER: "def handler(event, context):\n    from handlers.common import shared\n",
        SHARED: "import handlers.common.next\n",
        "handlers/common/next.py": "import nothing\n",
        "handlers/one/unused.py": "import nothing\n",
    }
    [fault] = list_faults(tmp_path, files)
    assert fault.startswith("handlers/common/next.py:1: ")


def test_a_fault_of_a_package_that_contains_an_imported_module_is_found(tmp_path: Path) -> None:
    [fault] = list_faults(tmp_path, {"handlers/one/__init__.py": "import nothing", HANDLER: DEFINITION})
    assert fault.startswith("handlers/one/__init__.py:1: ")


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        ("handlers.one.handler.handel", f"{HANDLER}:1: handel is not defined: define it, or correct the entry point"),
        (
            "handlers.one.handling.handler",
            "ARCHIVE:1: there is no module handlers.one.handling: correct the entry point",
        ),
    ],
)
def test_an_entry_point_that_does_not_exist_is_a_fault(tmp_path: Path, entry: str, fault: str) -> None:
    files = {HANDLER: f"{DEFINITION}def other():\n    handel = 1\n"}
    assert list_faults(tmp_path, files, entry) == [f"{fault} {entry}"]


def test_an_entry_point_may_separate_folders_by_slashes(tmp_path: Path) -> None:
    assert list_faults(tmp_path, {HANDLER: DEFINITION}, "handlers/one/handler.handler") == []


def test_a_function_without_the_layer_can_import_only_the_standard_library(tmp_path: Path) -> None:
    code = f"import json\nimport boto3\n{DEFINITION}"
    [fault] = list_faults(tmp_path, {HANDLER: code}, has_layer=False)
    assert fault.startswith(f"{HANDLER}:2: the function has no layer, so it cannot import boto3")


def test_functions_of_a_stack_that_share_a_fault_are_listed_together(tmp_path: Path) -> None:
    archive = pulumi.FileArchive(write_zip(tmp_path, {HANDLER: f"import boto3\nimport nothing\n{DEFINITION}"}))

    def program() -> None:
        for name, layers in (("two", ["arn"]), ("one", ["arn"]), ("bare", None)):
            lambda_.Function(name, handler=ENTRY, role="role", code=archive, runtime="python3.13", layers=layers)

    run = program_run.run_function(program, StackConfig("polyphony", "test", {}), PreviewProvider(), preview=True)
    faults = find_handler_faults(run.graph)
    assert [(fault.line, str(fault).rpartition(" (")[2]) for fault in faults] == [
        (1, "cannot run: bare)"),
        (2, "cannot run: one, two)"),
        (2, "cannot run: bare)"),
    ]
