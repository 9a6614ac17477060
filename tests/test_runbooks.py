"""Tests of the runbooks: every alarm names its page, the index lists every page, and commands and scripts work."""

import json
import re
import textwrap
from collections import defaultdict
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from components.blocks import rest_api, websocket_api
from handlers.common.ids import timestamp
from handlers.ingestion.files import ArrivedFile, FileResult, FileTable, ListedFile
from handlers.ingestion.manifests import Manifest, ManifestDocuments
from local import ROOT
from local.generate import documented_resource_graph
from local.preview import stack_files
from operations.__main__ import COMMANDS
from tests.credentials import credentials
from tests.handlers.ingestion.conftest import NOW, moto_aws
from tests.moto_tables import create_table
from tests.whole_program import ONE_WORKER_FOR_DOCUMENTS

pytestmark = ONE_WORKER_FOR_DOCUMENTS

FOLDER = ROOT / "docs" / "runbooks"
INDEX = FOLDER / "README.md"
PAGES = sorted(set(FOLDER.glob("*.md")) - {INDEX})
NAME_PREFIX = f"polyphony-{documented_resource_graph.STACK}-"
RECORD_DAYS = 400
"""Retention of file records."""


@cache
def runbooks_by_alarm(stack: str) -> dict[str, str]:
    """Return the path of the runbook that each alarm names, by the alarm's name without the stack's prefix."""
    resources = documented_resource_graph.build_stack_graph(stack)
    inputs = [resource.inputs for resource in resources if resource.kind == "MetricAlarm"]
    return {
        alarm["name"].removeprefix(f"polyphony-{stack}-"): alarm["alarmDescription"].rpartition("Runbook: ")[2]
        for alarm in inputs
    }


@cache
def runbooks_by_alarm_of_all_stacks() -> dict[str, str]:
    return {name: page for stack in stack_files.list_stacks() for name, page in runbooks_by_alarm(stack).items()}


def alarm_suffix(name: str) -> str:
    """Return an alarm's name on a page, such as `…-dlq-critical`, without the placeholder and without the severity."""
    return re.sub(r"^(…|<\w+>)-|-(critical|warning)$", "", re.sub(r"^(…|<\w+>)-", "", name))


def quoted_names(page: Path) -> set[str]:
    """Return all names in backticks on a page, without the placeholder or severity of an alarm name."""
    return {alarm_suffix(name) for name in re.findall(r"`([^`]+)`", page.read_text())}


def covered_alarm_suffixes(page: Path) -> set[str]:
    """Return the ends of the alarm names in a page's line `Alarms` or table of alarms, without their severity."""
    text = page.read_text()
    match = re.search(r"^\*\*Alarms?\*\*: (.*?)(?=\*\*Mean|\n\n)", text, re.MULTILINE | re.DOTALL)
    table = re.search(r"^\| alarms? \|.*?(?=\n\n)", text, re.MULTILINE | re.DOTALL)
    names = re.findall(r"`([^`]+)`", match[1]) if match else []
    names += re.findall(r"^\| `([^`]+)`", table[0], re.MULTILINE) if table else []
    return {alarm_suffix(name) for name in names}


@pytest.mark.parametrize("stack", stack_files.list_stacks())
def test_every_alarm_has_a_runbook_that_names_it(stack: str) -> None:
    assert len(runbooks_by_alarm(stack)) > 50
    missing = []
    for name, runbook in runbooks_by_alarm(stack).items():
        page, name_without_severity = ROOT / runbook, re.sub(r"-(critical|warning)$", "", name)
        assert page in PAGES, f"{name} names {runbook}"
        if not any(name_without_severity.endswith(f"-{suffix}") for suffix in quoted_names(page)):
            missing.append(f"{page.name} does not name {name}")
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_runbook_names_only_existing_alarms(page: Path) -> None:
    names = [re.sub(r"-(critical|warning)$", "", name) for name in runbooks_by_alarm_of_all_stacks()]
    suffixes = covered_alarm_suffixes(page)
    assert {suffix for suffix in suffixes if not any(name.endswith(f"-{suffix}") for name in names)} == set()


def test_the_index_lists_every_runbook_once_by_alarm_or_by_task() -> None:
    by_alarm, by_task = (re.findall(r"\((.*?)\.md\)", part) for part in INDEX.read_text().split("| when | page |"))
    pages_of_alarms = {Path(page).stem for page in runbooks_by_alarm_of_all_stacks().values()}
    assert by_alarm == sorted(pages_of_alarms)
    assert by_task == sorted({page.stem for page in PAGES} - pages_of_alarms)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_runbook_uses_existing_commands_and_invokes_functions_only_once(page: Path) -> None:
    text = page.read_text()
    assert set(re.findall(r"python -m operations ([a-z]+)", text)) <= set(COMMANDS)
    # After its default timeout of a minute, the CLI would invoke the function again.
    assert [call for call in re.findall(r"aws lambda invoke .*", text) if "--cli-read-timeout 0" not in call] == []


# Failed work


def dead_letter_queues() -> dict[str, str]:
    """Return the name of each queue's dead-letter queue, by the queue's name."""
    return {
        resource.inputs["name"]: json.loads(resource.inputs["redrivePolicy"])["deadLetterTargetArn"].rpartition(":")[2]
        for resource in documented_resource_graph.build_stack_graph()
        if resource.kind == "Queue" and resource.inputs.get("redrivePolicy")
    }


def dead_letter_queues_with_alarm(*, of_queues: bool) -> set[str]:
    """Return the dead-letter queues with an alarm. If `of_queues` is True, they take messages of other queues, otherwise
    failed calls and deliveries.
    """
    redrive_targets = set(dead_letter_queues().values())
    with_alarm = {
        f"{NAME_PREFIX}{name.removesuffix('-critical')}"
        for name, page in runbooks_by_alarm(documented_resource_graph.STACK).items()
        if page == "docs/runbooks/queues.md"
    }
    return with_alarm & redrive_targets if of_queues else with_alarm - redrive_targets


def read_table_of_log_groups(header: str) -> dict[str, list[str]]:
    """Return a table of the page `queues`: queue → functions whose log groups give the reason.

    `header` is the title of the table's first column.
    """
    _, _, table = (FOLDER / "queues.md").read_text().partition(f"| {header} |")
    rows = [re.findall(r"`([a-z-]+)`", line) for line in table.partition("\n\n")[0].splitlines()[2:]]
    return {
        f"{NAME_PREFIX}{queue}": [f"{NAME_PREFIX}{function}" for function in functions] for queue, *functions in rows
    }


def test_the_runbook_maps_dead_letter_queues_to_the_logs_of_their_consumers() -> None:
    functions_by_queue = {
        dead_letter_queues()[resource.inputs["eventSourceArn"].rpartition(":")[2]]: [
            resource.inputs["functionName"].split(":")[6]
        ]
        for resource in documented_resource_graph.build_stack_graph()
        if resource.kind == "EventSourceMapping"
    }
    assert read_table_of_log_groups("dead letters") == functions_by_queue
    assert set(functions_by_queue) == dead_letter_queues_with_alarm(of_queues=True)


def test_the_runbook_maps_failed_calls_to_the_logs_of_their_functions() -> None:
    functions_by_queue = defaultdict[str, list[str]](list)
    for resource in documented_resource_graph.build_stack_graph():
        if resource.kind == "FunctionEventInvokeConfig" and resource.inputs.get("destinationConfig"):
            destination = resource.inputs["destinationConfig"]["onFailure"]["destination"]
            functions_by_queue[destination.rpartition(":")[2]].append(resource.inputs["functionName"])
    assert read_table_of_log_groups("failed calls") == functions_by_queue
    other_queues = dead_letter_queues_with_alarm(of_queues=False) - set(functions_by_queue)
    assert other_queues == {f"{NAME_PREFIX}{name}-failed-events" for name in ("foundation", "livestream")}, (
        "they hold only events of rules"
    )


# Backups


def run_page_script(marker: str, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    """Run the script between two markers on the page `restore`, with command-line arguments."""
    page = (FOLDER / "restore.md").read_text()
    [script] = re.findall(rf"<<'{marker}'\n(.*?)\n *{marker}\n", page, re.DOTALL)
    monkeypatch.setattr("sys.argv", ["-", *arguments])
    exec(compile(textwrap.dedent(script), "the page", "exec"), {})  # noqa: S102 - the script of the page


def test_the_runbooks_script_copies_items_and_keeps_newer_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    credentials(monkeypatch)

    def item(number: str, text: str) -> dict[str, Any]:
        return {"owner": {"S": "somebody"}, "number": {"S": number}, "text": {"S": text}}

    with mock_aws():
        client = boto3.client("dynamodb")
        for name in ("notes", "notes-restored"):
            create_table(client, name, "owner", "number")
        for number in ("1", "2"):
            client.put_item(TableName="notes-restored", Item=item(number, "restored"))
        client.put_item(TableName="notes", Item=item("2", "newer"))
        run_page_script("END", monkeypatch, "notes")
        assert sorted(client.scan(TableName="notes")["Items"], key=str) == [item("1", "restored"), item("2", "newer")]


def test_the_runbooks_script_restores_file_records_since_the_backup(monkeypatch: pytest.MonkeyPatch) -> None:
    def arrived_file(name: str) -> ArrivedFile:
        values = {"bucket": "landing", "key": f"incoming/{name}", "version_id": "v", "size": 1, "etag": "e"}
        return ArrivedFile.model_validate({**values, "arrived": NOW})

    def listed_file(name: str) -> ListedFile:
        file = files[name]
        values = {"bucket": file.bucket, "key": file.key, "version_id": "v", "size": 1, "arrived_at": timestamp(NOW)}
        return ListedFile.model_validate({**values, "date_prefix": file.arrival_date, "file_key": file.sort_key})

    with moto_aws(monkeypatch) as aws:
        table = FileTable(boto3.resource("dynamodb").Table(aws.table), RECORD_DAYS, lambda: NOW)
        files = {name: arrived_file(name) for name in ("pending", "missing", "rejected", "done", "new")}

        # The backup contains two files. One of them was processed with the manifest `first`.
        table.track(files["pending"])
        table.track(files["done"])
        done = listed_file("done")
        table.take(done, "first")
        result = {"fileKey": done.file_key, "datePrefix": done.date_prefix, "status": "processed", "rows": 7}
        table.record_result(FileResult.model_validate(result), "first")

        # After the backup, the manifest `later` ended with these results.
        statuses = {"pending": "processed", "missing": "processed", "rejected": "rejected", "done": "superseded"}
        results = [
            {"fileKey": files[name].sort_key, "datePrefix": files[name].arrival_date, "status": status, "rows": 7}
            for name, status in statuses.items()
        ]
        manifest = Manifest(manifest_id="later", created_at=NOW, files=tuple(map(listed_file, statuses)))
        ManifestDocuments(aws.s3, aws.lake).write_list(manifest)
        body = json.dumps({"manifestId": "later", "runId": "r", "files": results})
        aws.s3.put_object(Bucket=aws.lake, Key="manifests/later.result.json", Body=body)

        def restore(since: str) -> dict[str, str]:
            """Run the script with the results that were stored since a time. Return the status of each file."""
            run_page_script("RECORDS", monkeypatch, aws.table, aws.lake, since, str(RECORD_DAYS))
            return {key.removeprefix("incoming/").partition("#")[0]: status for key, status in aws.statuses().items()}

        assert restore("2999-01-31T04:00:00+00:00") == {"pending": "pending", "done": "processed"}, (
            "no result is so late"
        )
        expected = {"pending": "processed", "missing": "processed", "rejected": "rejected", "done": "processed"}
        assert restore("2020-01-31T04:00:00+00:00") == expected
        assert table.list_pending(10) == [], "files whose rows exist are not processed again"
        assert not any(table.track(files[name]) for name in expected)
        assert table.track(files["new"])
        restored = aws.records()[files["missing"].sort_key]
        assert (restored["object_key"], restored["size"]) == ({"S": "incoming/missing"}, {"N": "1"})


# Access logs


@pytest.mark.parametrize(
    ("section", "log", "statuses"),
    [
        ("WebSocket APIs", websocket_api.ACCESS_LOG_FIELDS, ["400", "403", "429", "500", "504"]),
        ("REST APIs", rest_api.ACCESS_LOG_FIELDS, ["500", "504"]),
    ],
)
def test_the_runbooks_filter_patterns_match_access_logs(section: str, log: dict[str, str], statuses: list[str]) -> None:
    """All values of an access log are strings, also the status. A number in a pattern matches numbers only."""
    text = (FOLDER / "apis.md").read_text().partition(f"## {section}")[2].partition("\n## ")[0]
    [pattern] = re.findall(r"logs tail /aws/apigateway/<api> .*--filter-pattern '\{ (.*?) \}'", text)
    lines = [{**log, "status": status} for status in ("200", "400", "403", "429", "500", "504")]
    comparisons = pattern.split(" || ")
    matches = [line for line in lines if any(matches_comparison(comparison, line) for comparison in comparisons)]
    assert [line["status"] for line in matches] == statuses


def matches_comparison(comparison: str, line: dict[str, str]) -> bool:
    """Return True if a comparison of CloudWatch's filter pattern language holds for a line with string values."""
    match = re.fullmatch(r'\$\.(\w+) = "([\w*]+)"', comparison)
    return match is not None and fnmatchcase(line[match[1]], match[2])
