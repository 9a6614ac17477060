"""Tests of the requirements' cost tables: the figures are quoted correctly, and the statements about them are true."""

import json
import re

import pytest
from pydantic import BaseModel

from components.settings import StackSettings
from guardrails.pricing.price_book import load_prices
from guardrails.pricing.requirements_cost_tables import COST_TABLES, ingestion, meetings
from guardrails.pricing.requirements_cost_tables.cost_table import FILE, load_assumptions, price_quantities
from tests.components.meetings import recorded_deployment

BY_NAME = {table.subsystem: table for table in COST_TABLES}


@pytest.mark.parametrize(
    ("subsystem", "total", "lines"),
    [
        ("ingestion", 270, [5, 220, 10, 20, 5, 1, 5]),
        ("meetings", 55.69, [55.69]),
        ("transcription", 6.40, [2.00, 1.80, 0.60, 2.00]),
        ("voice-qa", 35, [5, 5, 10, 5, 10]),
    ],
)
def test_the_figures_of_the_requirements_are_quoted_correctly(subsystem: str, total: float, lines: list[float]) -> None:
    document = BY_NAME[subsystem]
    assert document.stated_total == total
    assert [line.stated_usd for line in document.lines] == lines


@pytest.mark.parametrize("saving", [saving.setting for document in COST_TABLES for saving in document.setting_savings])
def test_every_setting_named_by_a_saving_exists(saving: str) -> None:
    if "." not in saving:
        return  # a saving without a setting has a description instead
    model: type[BaseModel] = StackSettings
    for part in saving.split("."):
        field = {field_info.alias or name: field_info for name, field_info in model.model_fields.items()}[part]
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            model = inner


def test_the_promised_savings_of_meetings_give_the_stated_totals() -> None:
    left, totals = 55.69, []
    for step in BY_NAME["meetings"].promised_savings:
        left -= step.stated_usd
        totals.append(round(left, 2))
    assert totals[-3:] == [39.19, 27.19, 26.69]
    assert round(1 - 26.69 / 55.69, 2) == 0.52


def usd(name: str) -> float:
    return load_prices()[name].usd


LAMBDA_OF_TRANSCRIPTION = next(line for line in BY_NAME["transcription"].lines if line.label == "Lambda execution")
CLAIMS: list[tuple[str, float, float, float]] = [
    ("ingestion's lines add to 266", sum(line.stated_usd for line in BY_NAME["ingestion"].lines), 266, 0),
    ("220 is 100 hours of 5 DPU", 100 * 5 * usd("glue_dpu_hour"), 220, 1e-6),
    ("5 minutes a run are 100 hours", ingestion.RUNS * 5 / 60, 100, 0),
    ("the infrequent tier is 46 % cheaper", 1 - usd("s3_infrequent_storage") / usd("s3_storage"), 0.46, 0.01),
    ("Haiku 4.5 saves 67 %", 1 - usd("bedrock_haiku_4_5_input") / usd("bedrock_sonnet_4_5_input"), 0.67, 0.01),
    ("half the processors, twice as long, save 58 %", 1 - 2 * 0.025 / 0.12, 0.58, 0.01),
    ("2 vCPU, 4 GB", price_quantities((("fargate_vcpu_hour_x86", 2), ("fargate_gb_hour_x86", 4))), 0.099, 0.0005),
    (
        "1 vCPU, 2 GB on Spot",
        price_quantities((("fargate_spot_vcpu_hour_arm64", 1), ("fargate_spot_gb_hour_arm64", 2))),
        0.013,
        0.0005,
    ),
    ("Spot costs a quarter", price_quantities(meetings.SPOT) / price_quantities(meetings.FARGATE_X86), 0.255, 0.01),
    ("$2 are 3.2 million index writes", 2.00 / usd("dynamodb_write"), 3.2e6, 1),
    ("75,000 GB-seconds on x86", LAMBDA_OF_TRANSCRIPTION.computed_usd, 1.26, 0.005),
    ("a million WebSocket messages", 1e6 * usd("websocket_message"), 1.00, 1e-6),
    ("a million REST requests", 1e6 * usd("rest_request"), 3.50, 1e-6),
    ("GB out for $10", 10 / usd("data_transfer_out"), 111, 1),
    ("GB stored for $10", 10 / usd("s3_storage"), 430, 5),
]


@pytest.mark.parametrize(("claim", "actual", "stated", "tolerance"), CLAIMS, ids=[claim[0] for claim in CLAIMS])
def test_every_statement_about_the_requirements_is_true(
    claim: str, actual: float, stated: float, tolerance: float
) -> None:
    assert actual == pytest.approx(stated, abs=tolerance), claim


def test_the_fargate_setting_is_priced_with_the_size_of_its_job() -> None:
    job = recorded_deployment.previewed(processing={"engine": "fargate"}).one("batch.JobDefinition").inputs
    container = json.loads(job["containerProperties"])
    architecture = container["runtimePlatform"]["cpuArchitecture"].lower()
    size = {requirement["type"]: float(requirement["value"]) for requirement in container["resourceRequirements"]}
    [saving] = [
        saving for saving in BY_NAME["meetings"].setting_savings if saving.setting == "meetings.processing.engine"
    ]
    machine = {"vcpu": size["VCPU"], "gb": size["MEMORY"] / 1024}
    hours = {amount / machine[name.split("_")[1]] for name, amount in saving.before}
    assert {name for name, _ in saving.before} == {f"fargate_{part}_hour_{architecture}" for part in machine}
    assert len(hours) == 1, "all parts of the machine are billed for the same hours"


def test_every_saving_is_positive_and_every_difference_has_a_reason() -> None:
    for document in COST_TABLES:
        assert all(saving.usd > 0 for saving in document.setting_savings), document.subsystem
        causes = [line.comparison for line in document.lines] + [
            saving.comparison for saving in document.promised_savings
        ]
        assert all(causes), document.subsystem


def test_every_assumption_has_a_reason_and_is_used() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in FILE.parent.glob("*.py"))
    used = set(re.findall(r'get_assumption\("(\w+)"\)', sources))
    assert used == load_assumptions().keys()
    assert all(len(assumption.why) > 10 and assumption.unit for assumption in load_assumptions().values())
    assert FILE.read_text(encoding="utf-8").startswith("# ASSUMED")
