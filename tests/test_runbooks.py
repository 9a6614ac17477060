"""Whoever an alarm wakes finds a page that speaks of that very alarm; every page is found by an alarm or by a reader."""

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

from components.blocks.api import rest_stage, websocket_stage
from handlers.ingestion.arrived_files import ArrivedFile
from handlers.ingestion.file_records import FileRecord, new_file_item
from handlers.ingestion.file_table import FileTable
from handlers.ingestion.manifest import FileResult, Manifest
from handlers.ingestion.manifest_lists import ManifestLists
from handlers.ingestion.table_items import RecordId
from local import ROOT
from local.generate import documented_graph
from local.preview import stack_files
from operations.__main__ import COMMANDS
from tests.credentials import credentials
from tests.handlers.ingestion.conftest import NOW, moto_aws
from tests.moto_tables import create_table
from tests.whole_program import DOCUMENTED

pytestmark = DOCUMENTED

FOLDER = ROOT / "docs" / "runbooks"
INDEX = FOLDER / "README.md"
PAGES = sorted(set(FOLDER.glob("*.md")) - {INDEX})
START = f"polyphony-{documented_graph.STACK}-"


@cache
def alarms(stack: str) -> dict[str, str]:
    """Every alarm's name, what its stack's share left out, with the page that its description ends in."""
    found = [one.inputs for one in documented_graph.graph(stack) if one.kind == "MetricAlarm"]
    return {
        one["name"].removeprefix(f"polyphony-{stack}-"): one["alarmDescription"].rpartition("Runbook: ")[2]
        for one in found
    }


@cache
def every_alarm() -> dict[str, str]:
    return {name: page for stack in stack_files.stacks() for name, page in alarms(stack).items()}


def speaks_of(page: Path) -> set[str]:
    """The ends of alarms' names that a page says it is about, without their severity."""
    found = re.search(r"^\*\*Alarms?\*\*: (.*?)(?=\*\*Means|\n\n)", page.read_text(), re.MULTILINE | re.DOTALL)
    named = re.findall(r"`([^`]+)`", found[1]) if found else []
    return {re.sub(r"^(…|<\w+>)-|-(critical|warning)$", "", re.sub(r"^(…|<\w+>)-", "", one)) for one in named}


@pytest.mark.parametrize("stack", stack_files.stacks())
def test_an_alarms_page_exists_and_speaks_of_it(stack: str) -> None:
    assert len(alarms(stack)) > 50
    unspoken = []
    for name, named in alarms(stack).items():
        page, plain = ROOT / named, re.sub(r"-(critical|warning)$", "", name)
        assert page in PAGES, f"{name} names {named}"
        if not any(plain.endswith(f"-{end}") for end in speaks_of(page)):
            unspoken.append(f"{page.name} says nothing of {name}")
    assert unspoken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_speaks_of_no_alarm_that_does_not_exist(page: Path) -> None:
    plain = [re.sub(r"-(critical|warning)$", "", name) for name in every_alarm()]
    unknown = {end for end in speaks_of(page) if not any(name.endswith(f"-{end}") for name in plain)}
    assert unknown == set()


def test_the_index_has_every_page_once_apart_by_what_leads_to_it() -> None:
    by_alarm, by_hand = (re.findall(r"\((.*?)\.md\)", part) for part in INDEX.read_text().split("| when | page |"))
    led = {Path(page).stem for page in every_alarm().values()}
    assert by_alarm == sorted(led)
    assert by_hand == sorted({page.stem for page in PAGES} - led), "a page that neither alarm nor reader finds"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_calls_commands_that_exist_and_a_function_once(page: Path) -> None:
    text = page.read_text()
    assert set(re.findall(r"python -m operations ([a-z]+)", text)) <= set(COMMANDS)
    calls = re.findall(r"aws lambda invoke .*", text)
    assert [one for one in calls if "--cli-read-timeout 0" not in one] == [], "after a minute the CLI calls again"


# Failed work


def queues(*, with_source: bool) -> set[str]:
    """The queues that alarms of dead-letters speak of; whether another queue sends them what failed."""
    sent = {
        json.loads(one.inputs["redrivePolicy"])["deadLetterTargetArn"].rpartition(":")[2]
        for one in documented_graph.graph()
        if one.kind == "Queue" and one.inputs.get("redrivePolicy")
    }
    watched = {
        f"{START}{name.removesuffix('-critical')}"
        for name, page in alarms(documented_graph.STACK).items()
        if page == "docs/runbooks/dead-letters.md"
    }
    return watched & sent if with_source else watched - sent


def listed(header: str) -> dict[str, list[str]]:
    """A table of the page: the queue, and whose log groups say why."""
    _, _, rest = (FOLDER / "dead-letters.md").read_text().partition(f"| {header} |")
    rows = [re.findall(r"`([a-z-]+)`", line) for line in rest.partition("\n\n")[0].splitlines()[2:]]
    return {f"{START}{queue}": [f"{START}{function}" for function in functions] for queue, *functions in rows}


def test_dead_letters_of_a_queue_are_looked_for_where_its_consumer_logs() -> None:
    graph = documented_graph.graph()
    letters = {
        one.inputs["name"]: json.loads(one.inputs["redrivePolicy"])["deadLetterTargetArn"].rpartition(":")[2]
        for one in graph
        if one.kind == "Queue" and one.inputs.get("redrivePolicy")
    }
    consumed = {
        letters[one.inputs["eventSourceArn"].rpartition(":")[2]]: [one.inputs["functionName"].split(":")[6]]
        for one in graph
        if one.kind == "EventSourceMapping"
    }
    assert listed("dead letters") == consumed
    assert set(consumed) == queues(with_source=True)


def test_failed_calls_are_looked_for_where_their_function_logs() -> None:
    failed = defaultdict[str, list[str]](list)
    for one in documented_graph.graph():
        if one.kind == "FunctionEventInvokeConfig" and one.inputs.get("destinationConfig"):
            destination = one.inputs["destinationConfig"]["onFailure"]["destination"]
            failed[destination.rpartition(":")[2]].append(one.inputs["functionName"])
    assert listed("failed calls") == failed
    others = queues(with_source=False) - set(failed)
    assert all(name.endswith("-dlq") for name in others), "the page knows three kinds of queues"


# Copies


def test_items_are_copied_as_the_page_shows_and_what_was_written_since_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    [script] = re.findall(r"<<'END'\n(.*?)\n   END", (FOLDER / "restore-a-table.md").read_text(), re.DOTALL)
    credentials(monkeypatch)
    monkeypatch.setattr("sys.argv", ["-", "notes"])

    def item(number: str, text: str) -> dict[str, Any]:
        return {"owner": {"S": "somebody"}, "number": {"S": number}, "text": {"S": text}}

    with mock_aws():
        client = boto3.client("dynamodb")
        for name in ("notes", "notes-restored"):
            create_table(client, name, "owner", "number")
        for number in ("1", "2"):
            client.put_item(TableName="notes-restored", Item=item(number, "restored"))
        client.put_item(TableName="notes", Item=item("2", "newer"))
        exec(compile(textwrap.dedent(script), "the page", "exec"), {})  # noqa: S102 - it is what the page shows
        assert sorted(client.scan(TableName="notes")["Items"], key=str) == [item("1", "restored"), item("2", "newer")]


def test_what_ingestion_took_in_since_the_copy_is_written_back_as_the_page_shows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    [script] = re.findall(r"<<'RECORDS'\n(.*?)\n   RECORDS", (FOLDER / "restore-a-table.md").read_text(), re.DOTALL)

    def file(name: str) -> ArrivedFile:
        values = {"bucket": "landing", "key": f"incoming/{name}", "version_id": "v", "size": 1, "etag": "e"}
        return ArrivedFile.model_validate({**values, "arrived": NOW})

    with moto_aws(monkeypatch) as aws:
        table = FileTable(aws.dynamodb, aws.table, 400, lambda: NOW)
        files = {name: file(name) for name in ("pending", "missing", "rejected", "done", "new")}
        for name in ("pending", "done"):
            table.track(files[name])
        done = RecordId(files["done"].date_prefix, files["done"].file_key)
        table.claim(done, "first")
        table.mark_manifested(done, "first")
        told = {"pending": "processed", "missing": "processed", "rejected": "rejected", "done": "superseded"}
        results = [
            {"fileKey": files[name].file_key, "datePrefix": files[name].date_prefix, "status": status, "rows": 7}
            for name, status in told.items()
        ]
        table.record_result(FileResult.model_validate({**results[-1], "status": "processed"}), "first")
        listed = tuple(
            FileRecord.from_item(new_file_item(one, None, NOW, 400, 2)).listed_file
            for name, one in files.items()
            if name != "new"
        )
        ManifestLists(aws.s3, aws.lake).write(Manifest(manifest_id="later", created_at=NOW, files=listed))
        result = json.dumps({"manifestId": "later", "runId": "r", "files": results})
        aws.s3.put_object(Bucket=aws.lake, Key="manifests/later.result.json", Body=result)

        def written_back(since: str) -> dict[str, str]:
            monkeypatch.setattr("sys.argv", ["-", aws.table, aws.lake, since, "400"])
            exec(compile(textwrap.dedent(script), "the page", "exec"), {})  # noqa: S102 - it is what the page shows
            return {key.removeprefix("incoming/").partition("#")[0]: one for key, one in aws.statuses().items()}

        assert written_back("2999-01-31T04:00:00+00:00") == {"pending": "pending", "done": "processed"}
        wanted = {"pending": "processed", "missing": "processed", "rejected": "rejected", "done": "processed"}
        assert written_back("2020-01-31T04:00:00+00:00") == wanted
        assert table.list_pending(10) == [], "nobody takes in again what has its rows"
        assert not any(table.track(files[name]) for name in wanted)
        assert table.track(files["new"])
        tracked = FileRecord.from_item(new_file_item(files["missing"], None, NOW, 400, 2))
        assert FileRecord.from_item(aws.records()[tracked.id.file_key]).listed_file == tracked.listed_file


# Access logs


@pytest.mark.parametrize(
    ("page", "log", "found"),
    [
        ("websocket-errors", websocket_stage.ACCESS_LOG, ["400", "403", "429", "500", "504"]),
        ("rest-api-errors", rest_stage.ACCESS_LOG, ["500", "504"]),
    ],
)
def test_what_is_searched_for_in_an_access_log_is_found(page: str, log: dict[str, str], found: list[str]) -> None:
    """Its values are text, statuses too; a number in a pattern is compared with numbers alone."""
    [pattern] = re.findall(
        r"logs tail /aws/apigateway/<api> .*--filter-pattern '\{ (.*) \}'", (FOLDER / f"{page}.md").read_text()
    )
    lines = [{**log, "status": status} for status in ("200", "400", "403", "429", "500", "504")]
    assert [line["status"] for line in lines if any(takes(one, line) for one in pattern.split(" || "))] == found


def takes(comparison: str, line: dict[str, str]) -> bool:
    """Whether a comparison of CloudWatch's pattern language holds for a line of text values."""
    compared = re.fullmatch(r'\$\.(\w+) = "([\w*]+)"', comparison)
    return compared is not None and fnmatchcase(line[compared[1]], compared[2])
