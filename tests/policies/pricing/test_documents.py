"""The requirements' tables: what they say is quoted right, and what is said of them holds."""

import json
import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from components.settings import StackSettings
from guardrails import catalogue_doc
from guardrails.pricing import cost_doc
from guardrails.pricing.book import prices
from guardrails.pricing.documents import DOCUMENTS, Document, ingestion, meetings
from guardrails.pricing.documents.model import FILE, assumptions, priced
from local import ROOT
from tests.components.meetings import deployment

BY_NAME = {one.subsystem: one for one in DOCUMENTS}


@pytest.mark.parametrize(
    ("subsystem", "total", "lines"),
    [
        ("ingestion", 270, [5, 220, 10, 20, 5, 1, 5]),
        ("meetings", 55.69, [55.69]),
        ("transcription", 6.40, [2.00, 1.80, 0.60, 2.00]),
        ("voice-qa", 35, [5, 5, 10, 5, 10]),
    ],
)
def test_the_documents_figures_are_quoted_as_they_stand(subsystem: str, total: float, lines: list[float]) -> None:
    document = BY_NAME[subsystem]
    assert document.total == total
    assert [one.document for one in document.positions] == lines


@pytest.mark.parametrize("saving", [one.setting for document in DOCUMENTS for one in document.savings])
def test_a_saving_that_names_a_setting_names_one_that_there_is(saving: str) -> None:
    if "." not in saving:
        return  # what no setting switches is said in words
    model: type[BaseModel] = StackSettings
    for part in saving.split("."):
        field = {one.alias or name: one for name, one in model.model_fields.items()}[part]
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            model = inner


def test_the_steps_of_meetings_lead_through_the_documents_totals() -> None:
    left, totals = 55.69, []
    for step in BY_NAME["meetings"].steps:
        left -= step.document
        totals.append(round(left, 2))
    assert totals[-3:] == [39.19, 27.19, 26.69]
    assert round(1 - 26.69 / 55.69, 2) == 0.52


def test_what_is_said_of_ingestions_arithmetic_holds() -> None:
    assert sum(one.document for one in BY_NAME["ingestion"].positions) == 266
    assert 75 + 165 + 8 == 248
    glue = prices()["glue_dpu_hour"].usd
    assert 100 * 5 / 5 * glue * 5 == pytest.approx(220), "100 hours of 5 DPU"
    assert ingestion.RUNS * 5 / 60 == 100, "5 minutes each"
    assert 1 - prices()["s3_infrequent_storage"].usd / prices()["s3_storage"].usd == pytest.approx(0.46, abs=0.01)


def test_what_is_said_of_meetings_arithmetic_holds() -> None:
    sonnet, haiku = prices()["bedrock_sonnet_input"].usd, prices()["bedrock_haiku_input"].usd
    assert 1 - haiku / sonnet == pytest.approx(0.67, abs=0.01)
    assert 6.00 / 0.80 * (1 - haiku / sonnet) == pytest.approx(5.00)
    assert pytest.approx(0.58, abs=0.01) == 1 - 2 * 0.025 / 0.12
    hour = priced((("fargate_vcpu_hour_x86", 2), ("fargate_gb_hour_x86", 4)))
    assert hour == pytest.approx(0.099, abs=0.0005)
    assert priced((("fargate_spot_vcpu_hour_arm64", 1), ("fargate_spot_gb_hour_arm64", 2))) == pytest.approx(
        0.013, abs=0.0005
    )
    assert 2.00 / prices()["dynamodb_write"].usd == pytest.approx(3.2e6)


def test_the_way_back_to_fargate_is_priced_as_the_machines_that_it_brings() -> None:
    job = deployment.meetings(processing={"engine": "fargate"}).one("batch.JobDefinition").inputs
    container = json.loads(job["containerProperties"])
    architecture = container["runtimePlatform"]["cpuArchitecture"].lower()
    size = {one["type"]: float(one["value"]) for one in container["resourceRequirements"]}
    [saving] = [one for one in BY_NAME["meetings"].savings if one.setting == "meetings.processing.engine"]
    machine = {"vcpu": size["VCPU"], "gb": size["MEMORY"] / 1024}
    hours = {amount / machine[name.split("_")[1]] for name, amount in saving.before}
    assert {name for name, _ in saving.before} == {f"fargate_{part}_hour_{architecture}" for part in machine}
    assert len(hours) == 1, "each part of the machine is paid as long"


def test_what_is_said_of_the_other_two_holds() -> None:
    lines = {one.label: one for one in BY_NAME["transcription"].positions}
    assert lines["Lambda execution"].computed == pytest.approx(1.26, abs=0.005)
    assert 1e6 * prices()["websocket_message"].usd == pytest.approx(1.00)
    assert 1e6 * prices()["rest_request"].usd == pytest.approx(3.50)
    assert 10 / prices()["data_transfer_out"].usd == pytest.approx(111, abs=1)
    assert 10 / prices()["s3_storage"].usd == pytest.approx(430, abs=5)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda one: one.subsystem)
def test_every_saving_is_one_setting_at_the_same_usage_and_saves(document: Document) -> None:
    for saving in document.savings:
        assert saving.usd > 0, saving.setting
        assert saving.setting
    assert all(one.cause for one in document.positions)
    assert all(one.cause for one in document.steps)


def test_half_the_processors_for_twice_as_long_cost_no_more_than_a_quarter_on_spot() -> None:
    assert priced(meetings.SPOT) / priced(meetings.FARGATE) == pytest.approx(0.255, abs=0.01)


def test_every_assumption_says_why_and_is_used() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in FILE.parent.glob("*.py"))
    used = set(re.findall(r'assumed\("(\w+)"\)', sources))
    assert used == assumptions().keys()
    assert all(len(one.why) > 10 and one.unit for one in assumptions().values())
    assert FILE.read_text(encoding="utf-8").startswith("# ASSUMED")


@pytest.mark.parametrize(("page", "text"), [("policies.md", catalogue_doc.text), ("cost.md", cost_doc.text)])
def test_the_generated_page_is_fresh(page: str, text: object) -> None:
    assert callable(text)
    committed = Path(ROOT / "docs" / page).read_text(encoding="utf-8")
    assert committed == text(), f"docs/{page} is stale: run `make docs`"
