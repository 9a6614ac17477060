"""SARIF 2.1.0 document with the findings and invalid inputs of a preview, for code scanning. Each result points to the
stack file.
"""

from collections.abc import Iterable
from typing import Any

from local.preview.input_checks import InvalidInput
from local.preview.policy_pack_process import PolicyDescription, PolicyFinding
from local.preview.stack_files import StackConfig

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS = {"mandatory": "error", "advisory": "warning", "remediate": "warning", "unknown": "note"}
"""Levels of SARIF, by the level of a finding."""
INVALID_INPUT = "service-refuses-value"
"""Rule id of all invalid inputs: those that AWS would reject, and those that the driver of the resource type does not
use."""


def to_sarif(
    policies: Iterable[PolicyDescription],
    findings: Iterable[PolicyFinding],
    invalid_inputs: Iterable[InvalidInput],
    config: StackConfig,
) -> dict[str, Any]:
    """Return a SARIF document with all findings and invalid inputs of a stack."""
    file = f"Pulumi.{config.stack}.yaml"
    descriptions = [{"id": policy.name, "shortDescription": {"text": policy.description}} for policy in policies]
    descriptions.append(
        {
            "id": INVALID_INPUT,
            "shortDescription": {
                "text": "AWS would reject this input, or the driver of the resource type does not use it."
            },
        }
    )
    results = [
        _create_result(
            finding.policy,
            LEVELS[finding.level],
            f"{finding.urn.rpartition('::')[2]}: {finding.message}",
            finding.urn,
            file,
        )
        for finding in findings
    ]
    results += [
        _create_result(INVALID_INPUT, "error", str(invalid_input), invalid_input.urn, file)
        for invalid_input in invalid_inputs
    ]
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": {"name": "polyphony-guardrails", "rules": descriptions}}, "results": results}],
    }


def _create_result(rule: str, level: str, text: str, urn: str, file: str) -> dict[str, Any]:
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
        # Code scanning treats results with the same fingerprint as one alert, even if the message changes.
        "partialFingerprints": {"finding/v1": f"{rule}|{urn}"},
    }
