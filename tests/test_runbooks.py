"""Tests of the runbooks: every alarm names its page, the index lists every page, and commands and scripts work."""

import json
import re
import textwrap
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
from handlers.ingestion.manifest_s3_keys import first_list_key
from handlers.ingestion.manifests import Manifest, ManifestDocuments
from local import ROOT
from local.generate import documented_resource_graph
from operations.__main__ import COMMANDS
from tests.credentials import credentials
from tests.handlers.ingestion.conftest import NOW, moto_aws
from tests.moto_tables import create_table
from tests.whole_program import ONE_WORKER_FOR_DOCUMENTS

pytestmark = ONE_WORKER_FOR_DOCUMENTS

FOLDER = ROOT / "docs" / "runbooks"
INDEX = FOLDER / "README.md"
PAGES = sorted(set(FOLDER.glob("*.md")) - {INDEX})
RECORD_DAYS = 400
"""Retention of file records."""


@cache
def runbooks_by_alarm() -> dict[str, str]:
    """Return the path of the runbook that each alarm names, by the alarm's name without stack and severity.

    All stacks have the same alarms.
    """
    return {
        shorten(resource.inputs["name"].removeprefix("polyphony-prod-")): resource.inputs[
            "alarmDescription"
        ].rpartition("Runbook: ")[2]
        for resource in documented_resource_graph.build_stack_graph()
        if resource.kind == "MetricAlarm"
    }


def shorten(name: str) -> str:
    """Return an alarm's name on a page, such as `…-dlq-critical`, without the placeholder and without the severity."""
    return re.sub(r"^(…|<\w+>)-|-(critical|warning)$", "", re.sub(r"^(…|<\w+>)-", "", name))


def test_every_alarm_has_a_runbook_that_names_it() -> None:
    quoted = {page: {shorten(name) for name in re.findall(r"`([^`]+)`", page.read_text())} for page in PAGES}
    assert len(runbooks_by_alarm()) > 50
    assert {
        (name, runbook)
        for name, runbook in runbooks_by_alarm().items()
        if not any(name.endswith(f"-{suffix}") for suffix in quoted[ROOT / runbook])
    } == set()


def test_a_runbook_names_only_existing_alarms() -> None:
    """A page names its alarms in the line `Alarms` or in a table."""
    for page in PAGES:
        text = page.read_text()
        lines = re.findall(r"^\*\*Alarms?\*\*: (.*?)(?=\*\*Mean|\n\n)", text, re.MULTILINE | re.DOTALL)[:1]
        tables = re.findall(r"^\| alarms? \|.*?(?=\n\n)", text, re.MULTILINE | re.DOTALL)[:1]
        names = re.findall(r"`([^`]+)`", "".join(lines)) + re.findall(r"^\| `([^`]+)`", "".join(tables), re.MULTILINE)
        suffixes = {shorten(name) for name in names}
        assert {end for end in suffixes if not any(name.endswith(f"-{end}") for name in runbooks_by_alarm())} == set()


def test_the_index_lists_every_runbook_once_by_alarm_or_by_task() -> None:
    by_alarm, by_task = (re.findall(r"\((.*?)\.md\)", part) for part in INDEX.read_text().split("| when | page |"))
    pages_of_alarms = {Path(page).stem for page in runbooks_by_alarm().values()}
    assert by_alarm == sorted(pages_of_alarms)
    assert by_task == sorted({page.stem for page in PAGES} - pages_of_alarms)


def test_runbooks_use_existing_commands_and_invoke_functions_only_once() -> None:
    text = "".join(page.read_text() for page in PAGES)
    assert set(re.findall(r"python -m operations ([a-z]+)", text)) <= set(COMMANDS)
    # After its default timeout of a minute, the CLI would invoke the function again.
    assert [call for call in re.findall(r"aws lambda invoke .*", text) if "--cli-read-timeout 0" not in call] == []


# Failed work


def read_table_of_log_groups(header: str) -> dict[str, list[str]]:
    """Return a table of the page `queues`: queue → functions whose log groups give the reason.

    `header` is the title of the table's first column.
    """
    _, _, table = (FOLDER / "queues.md").read_text().partition(f"| {header} |")
    rows = [re.findall(r"`([a-z-]+)`", line) for line in table.partition("\n\n")[0].splitlines()[2:]]
    return {queue: functions for queue, *functions in rows}


def test_the_runbook_maps_dead_letters_and_failed_calls_to_the_logs_of_their_functions() -> None:
    dead_letter_queues, dead_letters, failed_calls = dict[str, str](), dict[str, list[str]](), dict[str, list[str]]()
    resources = [(item.kind, item.inputs) for item in documented_resource_graph.build_stack_graph()]
    for kind, inputs in resources:
        if kind == "Queue" and inputs.get("redrivePolicy"):
            dead_letter_queues[inputs["name"]] = last_part(json.loads(inputs["redrivePolicy"])["deadLetterTargetArn"])
    for kind, inputs in resources:
        if kind == "EventSourceMapping":
            queue = dead_letter_queues[inputs["eventSourceArn"].rpartition(":")[2]]
            dead_letters[queue] = [last_part(inputs["functionName"].rpartition(":")[0])]
        if kind == "FunctionEventInvokeConfig" and inputs.get("destinationConfig"):
            queue = last_part(inputs["destinationConfig"]["onFailure"]["destination"])
            failed_calls.setdefault(queue, []).append(last_part(inputs["functionName"]))
    assert read_table_of_log_groups("dead letters") == dead_letters
    assert read_table_of_log_groups("failed calls") == failed_calls
    with_alarm = {name for name, page in runbooks_by_alarm().items() if page == "docs/runbooks/queues.md"}
    events_of_rules = {"foundation-failed-events", "livestream-failed-events"}
    assert with_alarm == dead_letters.keys() | failed_calls.keys() | events_of_rules


def last_part(arn_or_name: str) -> str:
    """Return the name at the end of an ARN, without the stack's prefix."""
    return arn_or_name.rpartition(":")[2].removeprefix("polyphony-prod-")


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
        values = arrived_file(name).model_dump(include={"bucket", "version_id", "size"})
        key = {"date_prefix": files[name].arrival_date, "file_key": files[name].sort_key, "object_key": files[name].key}
        return ListedFile.model_validate({**values, **key, "arrived_at": timestamp(NOW), "open_since": timestamp(NOW)})

    with moto_aws(monkeypatch) as aws:
        table = FileTable(boto3.resource("dynamodb").Table(aws.table), RECORD_DAYS, lambda: NOW)
        files = {name: arrived_file(name) for name in ("pending", "missing", "rejected", "done", "new")}

        # The backup contains two files. One of them was processed with the manifest `first`.
        table.track(files["pending"])
        table.track(files["done"])
        done = listed_file("done")
        table.take(done, "first", from_failed=False)
        result = {"fileKey": done.file_key, "datePrefix": done.date_prefix, "status": "processed", "rows": 7}
        table.record_result(FileResult.model_validate(result), "first")

        # After the backup, the manifest `later` ended with these results.
        statuses = {"pending": "processed", "missing": "processed", "rejected": "rejected", "done": "superseded"}
        results = [
            {"fileKey": files[name].sort_key, "datePrefix": files[name].arrival_date, "status": status, "rows": 7}
            for name, status in statuses.items()
        ]
        manifest = Manifest(manifest_id="later", created_at=NOW, files=tuple(map(listed_file, statuses)))
        ManifestDocuments(aws.s3, aws.lake).write(first_list_key(manifest.manifest_id), manifest)
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
    comparisons = re.findall(r'\$\.(\w+) = "([\w*]+)"', pattern)
    assert pattern == " || ".join(f'$.{name} = "{value}"' for name, value in comparisons)
    lines = [{**log, "status": status} for status in ("200", "400", "403", "429", "500", "504")]
    matches = [line for line in lines if any(fnmatchcase(line[name], value) for name, value in comparisons)]
    assert [line["status"] for line in matches] == statuses
