"""SARIF 2.1.0 document with the results of a preview's checks, for example for GitHub's code scanning.

`make preview SARIF=<file>` writes it. A handler fault is a reason why functions cannot start. It points to the line of its
cause. Policy findings and invalid inputs point to the stack file.
"""

from typing import Any

from local.preview.preview import Preview

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS = {"mandatory": "error", "advisory": "warning"}
"""SARIF's level for each level of a policy finding."""
INVALID_INPUT = "service-refuses-value"
"""SARIF rule id of all invalid inputs, including inputs that the driver of the resource type does not use."""
HANDLER_FAULT = "handler-cannot-run"
"""SARIF rule id of all handler faults."""


def to_sarif(preview: Preview) -> dict[str, Any]:
    """Return a SARIF document with a result for each finding, invalid input and handler fault of a stack."""
    file = f"Pulumi.{preview.config.stack}.yaml"
    descriptions = {policy.name: policy.description for policy in preview.policies} | {
        INVALID_INPUT: "AWS would reject this input, or the driver of the resource type does not use it.",
        HANDLER_FAULT: "A function cannot start.",
    }
    rules = [{"id": name, "shortDescription": {"text": text}} for name, text in descriptions.items()]
    results = [
        _create_result(
            finding.policy,
            LEVELS[finding.level],
            f"{finding.urn.rpartition('::')[2]}: {finding.message}",
            finding.urn,
            file,
        )
        for finding in preview.findings
    ]
    results += [
        _create_result(INVALID_INPUT, "error", str(invalid_input), invalid_input.urn, file)
        for invalid_input in preview.invalid_inputs
    ]
    results += [
        _create_result(
            HANDLER_FAULT,
            "error",
            str(fault),
            fault.urns[0],  # The text names the other functions that cannot start for the same reason.
            fault.file,
            line=fault.line,
            identity=f"{fault.file}|{fault.problem}",
        )
        for fault in preview.handler_faults
    ]
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": {"name": "polyphony-guardrails", "rules": rules}}, "results": results}],
    }


def _create_result(
    rule: str, level: str, text: str, urn: str, file: str, *, line: int = 1, identity: str = ""
) -> dict[str, Any]:
    return {
        "ruleId": rule,
        "level": level,
        "message": {"text": text},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": file}, "region": {"startLine": line}},
                "logicalLocations": [{"fullyQualifiedName": urn}],
            }
        ],
        # Code scanning treats results with the same fingerprint as one alert, even if the message or line changes.
        "partialFingerprints": {"finding/v1": f"{rule}|{identity or urn}"},
    }
