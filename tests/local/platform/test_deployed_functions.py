"""Tests of the list of locally deployed functions, and of their selection by name for `make push`."""

from types import SimpleNamespace
from typing import Any

import pytest

from local.platform.deployed_functions import DeployedFunction, FunctionNotFound, list_functions, select_functions

pytestmark = pytest.mark.unit
FOLDERS = (
    "ingestion/storage_check",
    "ingestion/steps",
    "meetings/storage",
    "meetings/steps",
    "voice_qa/query_worker",
)


def configuration(folder: str, **changes: Any) -> dict[str, Any]:
    return {
        "FunctionName": f"polyphony-local-{folder}".replace("/", "-").replace("_", "-"),
        "Handler": f"handlers.{folder.replace('/', '.')}.handler.handler",
        "Runtime": "python3.13",
        "CodeSha256": "hash",
        **changes,
    }


FUNCTIONS = [DeployedFunction.from_configuration(configuration(folder)) for folder in FOLDERS]


def select(*names: str) -> list[str]:
    return [function.folder for function in select_functions(FUNCTIONS, names)]


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("meetings/storage", "meetings/storage"),
        ("handlers/meetings/storage/handler.py", "meetings/storage"),
        ("polyphony-local-meetings-storage", "meetings/storage"),
        ("storage", "meetings/storage"),
        ("query", "voice_qa/query_worker"),
        ("voice-qa/query-worker", "voice_qa/query_worker"),
    ],
)
def test_a_function_is_selected_by_its_folder_its_name_or_a_unique_part_of_them(name: str, folder: str) -> None:
    """The last part of a folder is enough, even if another folder contains the same text, as in `ingestion/storage_check`."""
    assert select(name) == [folder]


def test_several_names_select_each_function_once() -> None:
    assert select("storage", "query", "meetings/storage") == ["meetings/storage", "voice_qa/query_worker"]
    assert select("storage", "all") == [
        "meetings/storage",
        *(folder for folder in FOLDERS if folder != "meetings/storage"),
    ]


def test_an_ambiguous_name_lists_the_functions_that_it_fits() -> None:
    with pytest.raises(FunctionNotFound) as error:
        select("steps")
    problem, *functions = str(error.value).splitlines()
    assert problem == "steps fits several functions. Give the folder of one of them:"
    assert [line.split() for line in functions] == [
        ["ingestion/steps", "polyphony-local-ingestion-steps"],
        ["meetings/steps", "polyphony-local-meetings-steps"],
    ]


@pytest.mark.parametrize(("names", "problem"), [(("other",), "other fits no function."), ((), "Name at least one")])
def test_an_unknown_or_missing_name_lists_all_functions(names: tuple[str, ...], problem: str) -> None:
    with pytest.raises(FunctionNotFound) as error:
        select(*names)
    first_line, *functions = str(error.value).splitlines()
    assert first_line.startswith(problem)
    assert [line.split()[0] for line in functions] == list(FOLDERS)


def test_only_functions_of_the_project_are_listed() -> None:
    configurations = [
        configuration("meetings/storage", Layers=[{"Arn": "layer"}], LoggingConfig={"LogGroup": "/a/group"}),
        configuration("meetings/start", Handler="echo.handler"),
        configuration("ingestion/storage_check"),
    ]
    pages = SimpleNamespace(paginate=lambda: [{"Functions": configurations}])
    first, second = list_functions(SimpleNamespace(get_paginator=lambda _: pages))
    assert (first.folder, first.has_layer) == ("ingestion/storage_check", False)
    assert first.log_group == "/aws/lambda/polyphony-local-ingestion-storage-check", "this is Lambda's default"
    assert (second.folder, second.has_layer, second.log_group) == ("meetings/storage", True, "/a/group")
