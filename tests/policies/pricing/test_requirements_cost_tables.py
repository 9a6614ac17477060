"""Tests of the cost tables that the requirements contain: the figures are quoted correctly, and the program's statements
about these figures are true.

A promised saving is a saving that the requirements state. A setting saving is computed for a setting of this program.
"""

import json
import re
from typing import Any

import pytest
from pydantic import BaseModel

from components.settings import StackSettings
from guardrails.pricing.price_book import load_prices
from guardrails.pricing.requirements_cost_tables import COST_TABLES, ingestion, meetings
from guardrails.pricing.requirements_cost_tables.cost_table import FILE, load_assumptions, price_quantities
from tests.components.meetings import recorded_deployment

TABLES = {table.subsystem: table for table in COST_TABLES}
SAVINGS_WITHOUT_A_SETTING = {
    "Intelligent-Tiering of the lake",
    "lifecycle of the recordings bucket",
    "processor architecture of functions",
    "prompt caching for the summary",
}


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
    table = TABLES[subsystem]
    assert table.stated_total == total
    assert [line.stated_usd for line in table.lines] == lines


def is_setting(path: str) -> bool:
    """Return True if a stack file can have a setting at this path."""
    model: Any = StackSettings
    for name in path.split("."):
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return False
        fields = {field.alias or field_name: field for field_name, field in model.model_fields.items()}
        if name not in fields:
            return False
        model = fields[name].annotation
    return True


def test_every_saving_names_an_existing_setting_except_those_listed_here() -> None:
    names = {saving.setting for table in COST_TABLES for saving in table.setting_savings}
    assert {name for name in names if not is_setting(name)} == SAVINGS_WITHOUT_A_SETTING


def test_the_promised_savings_of_meetings_give_the_stated_totals() -> None:
    total, totals = 55.69, []
    for saving in TABLES["meetings"].promised_savings:
        total -= saving.stated_usd
        totals.append(round(total, 2))
    assert totals[-3:] == [39.19, 27.19, 26.69]
    assert round(1 - 26.69 / 55.69, 2) == 0.52


def usd(name: str) -> float:
    return load_prices()[name].usd


TRANSCRIPTION_FUNCTIONS = next(line for line in TABLES["transcription"].lines if line.label == "Lambda execution")
STATEMENTS: list[tuple[str, float, float, float]] = [
    ("the lines of ingestion add to $266", sum(line.stated_usd for line in TABLES["ingestion"].lines), 266, 0),
    ("$220 is 100 hours of 5 DPU", 100 * 5 * usd("glue_dpu_hour"), 220, 1e-6),
    ("ingestion runs of 5 minutes are 100 hours", ingestion.RUNS * 5 / 60, 100, 0),
    ("the infrequent tier is 46 % cheaper", 1 - usd("s3_infrequent_storage") / usd("s3_storage"), 0.46, 0.01),
    ("Haiku 4.5 saves 67 %", 1 - usd("bedrock_haiku_4_5_input") / usd("bedrock_sonnet_4_5_input"), 0.67, 0.01),
    ("half the processors, twice as long, save 58 %", 1 - 2 * 0.025 / 0.12, 0.58, 0.01),
    (
        "2 vCPU and 4 GB cost $0.099 an hour",
        price_quantities((("fargate_vcpu_hour_x86", 2), ("fargate_gb_hour_x86", 4))),
        0.099,
        0.0005,
    ),
    (
        "1 vCPU and 2 GB on Spot cost $0.013 an hour",
        price_quantities((("fargate_spot_vcpu_hour_arm64", 1), ("fargate_spot_gb_hour_arm64", 2))),
        0.013,
        0.0005,
    ),
    ("Spot costs a quarter", price_quantities(meetings.SPOT) / price_quantities(meetings.FARGATE_X86), 0.255, 0.01),
    ("$2 pays for 3.2 million index writes", 2.00 / usd("dynamodb_write"), 3.2e6, 1),
    ("75,000 GB-seconds on x86 cost $1.26", TRANSCRIPTION_FUNCTIONS.computed_usd, 1.26, 0.005),
    ("a million WebSocket messages cost $1", 1e6 * usd("websocket_message"), 1.00, 1e-6),
    ("a million REST requests cost $3.50", 1e6 * usd("rest_request"), 3.50, 1e-6),
    ("$10 pays for 111 GB of outgoing data", 10 / usd("data_transfer_out"), 111, 1),
    ("$10 pays for 430 GB of stored data", 10 / usd("s3_storage"), 430, 5),
]


@pytest.mark.parametrize(("statement", "actual", "stated", "tolerance"), STATEMENTS, ids=[row[0] for row in STATEMENTS])
def test_every_statement_about_the_requirements_is_true(
    statement: str, actual: float, stated: float, tolerance: float
) -> None:
    assert actual == pytest.approx(stated, abs=tolerance), statement


def test_the_saving_of_spot_is_computed_for_the_size_of_the_fargate_job() -> None:
    job = recorded_deployment.previewed(processing={"engine": "fargate"}).one("batch.JobDefinition").inputs
    container = json.loads(job["containerProperties"])
    architecture = container["runtimePlatform"]["cpuArchitecture"].lower()
    size = {requirement["type"]: float(requirement["value"]) for requirement in container["resourceRequirements"]}
    [saving] = [
        saving for saving in TABLES["meetings"].setting_savings if saving.setting == "meetings.processing.engine"
    ]
    machine = {"vcpu": size["VCPU"], "gb": size["MEMORY"] / 1024}
    hours = {amount / machine[name.split("_")[1]] for name, amount in saving.before}
    assert {name for name, _ in saving.before} == {f"fargate_{part}_hour_{architecture}" for part in machine}
    assert len(hours) == 1, "all parts of the machine are billed for the same hours"


def test_every_setting_saving_is_positive_and_every_stated_figure_is_explained() -> None:
    for table in COST_TABLES:
        assert all(saving.usd > 0 for saving in table.setting_savings), table.subsystem
        comparisons = [line.comparison for line in table.lines] + [
            saving.comparison for saving in table.promised_savings
        ]
        assert all(comparisons), table.subsystem


def test_every_assumption_has_a_reason_and_is_used() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in FILE.parent.glob("*.py"))
    used = set(re.findall(r'get_assumption\("(\w+)"\)', sources))
    assert used == load_assumptions().keys()
    assert all(len(assumption.why) > 10 and assumption.unit for assumption in load_assumptions().values())
    assert FILE.read_text(encoding="utf-8").startswith("# ASSUMED")
