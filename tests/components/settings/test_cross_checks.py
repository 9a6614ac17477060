"""Tests of the checks that compare settings with each other and with the environment."""

from typing import Any

import pytest

from components.settings.stack import SECRETS
from tests.components.settings.stack_config import problems, stack_config

Changes = dict[str, Any]
ENVIRONMENTS = ("local", "dev", "staging", "prod")
ALL = "local dev staging prod"
RUNTIME = "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/lecturer-a1B2c3"
NETWORK = {"vpcId": "vpc-0a1b2c3d", "cidr": "172.31.0.0/16", "subnetIds": ["subnet-0a1b"]}
PRIVATE_AGENT = {"endpoint": "http://10.0.0.5:5000", "network": NETWORK}
BEDROCK_AGENT = {"mode": "bedrock", "runtimeArn": RUNTIME}
TWO_VCPUS = {"vcpus": 2, "memoryMb": 4096}

# fmt: off
ROWS: list[tuple[str, str, Changes]] = [
    ("staging prod", "foundation.identity.auth", {"foundation.identity.auth": "none"}),
    (ALL, "foundation.identity.issuer", {"foundation.identity": {"audience": "us"}}),
    (ALL, "foundation.identity.issuer", {"foundation.identity": {"audience": "us", "auth": "none"}}),
    ("", "foundation.identity.issuer", {"foundation.identity": {"auth": "none"}, "meetings.enabled": False}),
    (ALL, "foundation.identity.audience", {"foundation.identity": {"issuer": "https://a.b/"}}),
    ("dev staging prod", "foundation.identity.issuer", {"foundation.identity.issuer": "http://127.0.0.1:9/"}),
    ("dev staging prod", "foundation.identity.jwksUrl", {"foundation.identity.jwksUrl": "http://127.0.0.1:9/k"}),
    ("staging prod", "foundation.alerts.emails", {"foundation.alerts.emails": []}),
    ("staging prod", "foundation.alerts.warningEmails", {"foundation.alerts.warningEmails": []}),
    *((ALL, f"ingestion.{name}.timeoutSeconds", {"ingestion.manifests.files": 10_000, f"ingestion.{name}.timeoutSeconds": 97})
      for name in ("manifestBuilder", "sweeper", "steps")),
    ("", "ingestion.steps.timeoutSeconds", {"ingestion.manifests.files": 10_000, "ingestion.steps.timeoutSeconds": 98}),
    (ALL, "ingestion.steps.timeoutSeconds",  # more memory than 1,769 MB saves no time
     {"ingestion.manifests.files": 10_000, "ingestion.steps": {"timeoutSeconds": 28, "memoryMb": 10_240}}),
    ("", "ingestion.steps.timeoutSeconds",
     {"ingestion.manifests.files": 10_000, "ingestion.steps": {"timeoutSeconds": 29, "memoryMb": 10_240}}),
    (ALL, "ingestion.intake.batchWindowSeconds", {"ingestion.intake": {"batchSize": 11, "batchWindowSeconds": 0}}),
    ("", "ingestion.intake.batchWindowSeconds", {"ingestion.intake": {"batchSize": 10, "batchWindowSeconds": 0}}),
    ("", "ingestion.intake.batchWindowSeconds", {"ingestion.intake": {"batchSize": 11, "batchWindowSeconds": 1}}),
    (ALL, "ingestion.intake.tableRecordDays", {"ingestion.intake": {"tableRecordDays": 50, "landingDays": 30}}),
    ("", "ingestion.intake.tableRecordDays", {"ingestion.intake": {"tableRecordDays": 51, "landingDays": 30}}),
    ("dev staging prod", "ingestion.manifests.flushMinutes", {"ingestion.manifests.flushMinutes": 0}),
    ("prod", "ingestion.intake.corsOrigin", {"ingestion.intake.corsOrigin": "*"}),
    ("staging prod", "transcription.structuredLogging", {"transcription.structuredLogging": False}),
    ("dev staging prod", "voiceQa.agentcore.endpoint", {"voiceQa.agentcore": {}}),
    ("staging prod", "voiceQa.agentcore.endpoint", {"voiceQa.agentcore.endpoint": "http://10.0.0.5:5000"}),
    ("", "voiceQa.agentcore.endpoint", {"voiceQa.agentcore.endpoint": "https://8.8.8.8"}),
    (ALL, "voiceQa.agentcore.endpoint", {"voiceQa.agentcore.endpoint": "https://10.0.0.5:5000"}),
    (ALL, "voiceQa.agentcore.endpoint", {"voiceQa.agentcore.endpoint": "https://[fd00::1]:5000"}),
    (ALL, "voiceQa.agentcore.endpoint", {"voiceQa.agentcore": PRIVATE_AGENT}),
    ("staging prod", "voiceQa.agentcore.endpoint", {"voiceQa.agentcore": {**PRIVATE_AGENT, "endpoint": "http://172.31.0.5"}}),
    (ALL, "voiceQa.agentcore.network", {"voiceQa.agentcore": {**BEDROCK_AGENT, "network": NETWORK}}),
    (ALL, "voiceQa.agentcore.network", {"voiceQa.agentcore": {"network": NETWORK}}),
    (ALL, "voiceQa.agentcore.runtimeArn", {"voiceQa.agentcore": {"mode": "bedrock"}}),
    ("", "voiceQa.agentcore.endpoint", {"voiceQa.agentcore": BEDROCK_AGENT}),
    (ALL, "voiceQa.agentcore.answerSeconds",
     {"voiceQa.agentcore.answerSeconds": 471, "voiceQa.queryWorker.timeoutSeconds": 500}),
    ("", "voiceQa.agentcore.answerSeconds",
     {"voiceQa.agentcore.answerSeconds": 470, "voiceQa.queryWorker.timeoutSeconds": 500}),
    *((environments, "voiceQa.queryWorker.reservedConcurrency",
       {"voiceQa.alarms.accountConcurrency": account, "voiceQa.queryWorker.reservedConcurrency": reserved})
      for environments, account, reserved in (("dev staging prod", 149, 50), ("", 150, 50), ("", 10, None))),
    ("prod", "voiceQa.audio.origins", {"voiceQa.audio.origins": ["https://a.b", "*"]}),
    ("local", "voiceQa.audio.accelerated", {"voiceQa.audio.accelerated": True}),
    ("staging prod", "voiceQa.lectures.uploads", {"voiceQa.lectures.uploads": "guests"}),
    ("staging prod", "voiceQa.sessions.guestWrites", {"voiceQa.sessions.guestWrites": True}),
    ("prod", "livestream.api.corsOrigin", {"livestream.api.corsOrigin": "*"}),
    ("staging prod", "livestream.api.authorizer", {"livestream.api.authorizer": "none"}),
    (ALL, "livestream.api.authorizer", {"foundation.identity.auth": "none", "livestream.api.authorizer": "jwt"}),
    (ALL, "livestream.agent.answerSeconds", {"livestream.agent.answerSeconds": 64}),
    (ALL, "livestream.agent.answerSeconds", {"livestream.agent": {"modelId": "us.anthropic.claude-sonnet-5-5", "answerSeconds": 130}}),
    ("", "livestream.agent.answerSeconds", {"livestream.agent": {"modelId": "us.anthropic.claude-sonnet-5-5", "answerSeconds": 131}}),
    (ALL, "livestream.factCheckAgent.timeoutSeconds",
     {"livestream.agent.answerSeconds": 440, "livestream.factCheckAgent.timeoutSeconds": 899}),
    ("", "livestream.factCheckAgent.timeoutSeconds",
     {"livestream.agent.answerSeconds": 440, "livestream.factCheckAgent.timeoutSeconds": 900}),
    ("prod", "meetings.exchange.corsOrigin", {"meetings.exchange.corsOrigin": "*"}),
    (ALL, "meetings.processing.maxVcpus", {"meetings.processing": {"engine": "fargate", "maxVcpus": 1}}),
    ("", "meetings.processing.maxVcpus", {"meetings.processing": {"engine": "batch-spot", "maxVcpus": 1}}),
    # An hour of a recording takes two vCPU hours.
    *((ALL if minutes == needed - 1 else "", "meetings.processing.timeoutMinutes",
       {"meetings.processing": {**job, "timeoutMinutes": minutes}})
      for job, needed in (({"maxHours": 1}, 120), ({"maxHours": 24, "spot": TWO_VCPUS}, 1_440), ({"engine": "fargate"}, 720))
      for minutes in (needed - 1, needed)),
    (ALL, "meetings.bedrockSummarize.timeoutSeconds", {"meetings.bedrockSummarize.timeoutSeconds": 419}),
    ("", "meetings.bedrockSummarize.timeoutSeconds", {"meetings.bedrockSummarize.timeoutSeconds": 420}),
    *((ALL, f"{name}.logLevel", {f"{name}.logLevel": level}) for level in ("WARNING", "ERROR")
      for name in ("ingestion", "voiceQa", "livestream", "meetings")),
    ("", "transcription.logLevel", {"transcription.logLevel": "ERROR"}),
    *((ALL, key, {key: None}) for key in SECRETS),
]
# fmt: on
"""Environments that refuse a value (none if it is just within the limit), its key, and the changed settings."""


@pytest.mark.parametrize(("environments", "key", "changes"), ROWS)
def test_a_conflict_is_refused_only_in_its_environments(environments: str, key: str, changes: Changes) -> None:
    refusing = [name for name in ENVIRONMENTS if key in keys_with_problems(changes, name)]
    assert refusing == environments.split()


@pytest.mark.parametrize("key", sorted({key for _, key, _ in ROWS if not key.startswith("foundation")}))
def test_conflicts_of_a_disabled_subsystem_are_accepted(key: str) -> None:
    section = key.partition(".")[0]
    for environments, other_key, changes in ROWS:
        for environment in environments.split() if other_key == key else ():
            assert key not in keys_with_problems({**changes, f"{section}.enabled": False}, environment)


def keys_with_problems(changes: Changes, environment: str) -> set[str]:
    return {line.partition(":")[0] for line in problems(stack_config(changes, environment))}


@pytest.mark.parametrize(
    ("changes", "beginning"),
    [
        ({"voiceQa.agentcore": {}}, "voiceQa.agentcore.endpoint: in dev, is required"),
        ({"voiceQa.agentcore": {**BEDROCK_AGENT, "network": NETWORK}}, "voiceQa.agentcore.network: is only"),
        ({"meetings.logLevel": "ERROR"}, 'meetings.logLevel: given "ERROR"; must be DEBUG or INFO'),
    ],
)
def test_an_error_says_what_was_given_and_what_is_allowed_where(changes: Changes, beginning: str) -> None:
    [line] = problems(stack_config(changes))
    assert line.startswith(beginning)


def test_the_error_of_a_missing_secret_has_a_command_that_can_be_copied() -> None:
    [line] = problems(stack_config({"livestream.encryptionKey": None}))
    assert line.endswith(" pulumi config set --secret --path 'polyphony:livestream.encryptionKey' --stack dev")
