"""Findings as SARIF 2.1.0, the format that code scanning reads. Each points at the stack's file."""

from collections.abc import Iterable
from typing import Any

from local.preview.input_checks import Refusal
from local.preview.policy_pack_process import Judgement, Rule
from local.preview.stack_files import StackConfig

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS = {"mandatory": "error", "advisory": "warning", "remediate": "warning", "unknown": "note"}
REFUSED = "service-refuses-value"


def document(
    rules: Iterable[Rule], judgements: Iterable[Judgement], refusals: Iterable[Refusal], config: StackConfig
) -> dict[str, Any]:
    """One run with all findings of a stack."""
    file = f"Pulumi.{config.stack}.yaml"
    announced = [{"id": rule.name, "shortDescription": {"text": rule.description}} for rule in rules]
    announced.append({"id": REFUSED, "shortDescription": {"text": "The service would refuse this value."}})
    results = [
        _result(one.policy, LEVELS[one.level], f"{_name(one.urn)}: {one.message}", one.urn, file) for one in judgements
    ]
    results += [_result(REFUSED, "error", str(one), one.urn, file) for one in refusals]
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": {"name": "polyphony-guardrails", "rules": announced}}, "results": results}],
    }


def _result(rule: str, level: str, text: str, urn: str, file: str) -> dict[str, Any]:
    return {
        "ruleId": rule,
        "level": level,
        "message": {"text": text},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": file}, "region": {"startLine": 1}},
                "logicalLocations": [{"fullyQualifiedName": urn}],
            }
        ],
        # The same finding in the next run is the same alert, whatever its wording.
        "partialFingerprints": {"finding/v1": f"{rule}|{urn}"},
    }


def _name(urn: str) -> str:
    return urn.rpartition("::")[2]
