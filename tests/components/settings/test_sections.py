"""Tests of the values that the models of single sections refuse, and of the values that they derive."""

from typing import Any

import pytest

from components.ingestion.cost import files_per_run
from components.settings import load_settings
from handlers.livestream.episodes.uploads import MEGABYTE
from handlers.livestream.transcript import MAX_OBJECT_BYTES
from tests.components.settings.stack_config import ENCRYPTION_KEY, IDENTITY, PAGE, problems, stack_config

RUNTIME = "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime"
AGENT_NETWORK = {"vpcId": "vpc-0a1b2c3d", "cidr": "172.31.0.0/16", "subnetIds": ["subnet-0a1b"]}
INVALID: dict[str, list[Any]] = {
    "foundation.alerts.emails": [["a@b.de", "c@d.de", "a@b.de"]],
    "foundation.alerts.warningEmails": [["a@b.de", "a@b.de"]],
    "foundation.network": [{"vpcId": "vpc-0a1b"}, {"subnetIds": ["subnet-0a1b"]}],
    "foundation.network.cidr": ["10.65.1.0/16", "300.1.0.0/16", "8.8.0.0/16", "127.0.0.0/16", "10.65.0.0/20"],
    "meetings.network.cidr": ["8.8.0.0/16", "10.65.0.0/20"],
    "meetings.network.zones": [["a", "a"]],
    "voiceQa.websocketHandler": [{"snapStart": True}],  # provisioned concurrency is on by default
    "voiceQa.queryWorker": [{"provisionedConcurrency": 51}],  # more than the reserved 50
    "transcription.audioProcessor.timeoutSeconds": [14],
    "transcription.sessions.inFlight": [0, 9],
    "ingestion.intake.corsOrigin": ["a.b", f"{PAGE}/", "https://*.example.com", "null", "ftp://a", "http://-"],
    "voiceQa.audio.origins": [[], [PAGE, "https://a.b:123456"]],
    "voiceQa.agentcore.endpoint": ["a.b", "ftp://a.b", "https://a.b/?t=a", "https://a.b/#t", "https://u:p@a.b"],
    "voiceQa.agentcore.runtimeArn": ["lecturer", f"{RUNTIME}/*", f"{RUNTIME}/lecturer/runtime-endpoint/DEFAULT"],
    "voiceQa.agentcore.network": [
        *({**AGENT_NETWORK, "cidr": cidr} for cidr in ("172.31.0.0/15", "172.31.0.0/29", "172.31.5.0/16")),
        {**AGENT_NETWORK, "subnetIds": []},
    ],
    # With a line that is too short, every request with a cursor would fail.
    "livestream.encryptionKey": ["short", f"new\n{ENCRYPTION_KEY}", f"{ENCRYPTION_KEY}\nold\n", " \n" * 32],
    "meetings.processing.spot": [
        {"vcpus": vcpus, "memoryMb": megabytes}
        for vcpus, megabytes in ((0, 2048), (3, 8192), (1, 1024), (1, 9216), (2, 3072), (2, 17_408), (2, 4608))
    ],
    "ingestion.spark.columns": [
        *(
            {"c": name}
            for name in ("float", "binary", "varchar(20)", "INT", "decimal", "decimal(39,0)", "decimal(2,3)")
        ),
        *(
            {"c": name}
            for name in ("array<int", "array<float>", "map<int,string>", "map<array<int>,int>", "struct<a>", "int>")
        ),
        *({"id": "int", name: "int"} for name in ("ID", "dt", "_Source_Key", "a,b", "`a`", "")),
        {"o": "struct<a:int,A:int>"},
    ],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in INVALID.items() for value in values])
def test_an_invalid_value_is_refused(key: str, value: Any) -> None:
    [problem] = problems(stack_config({key: value}))
    assert problem.startswith(key)


VALID: dict[str, list[Any]] = {
    "ingestion.spark.columns": [
        {"Odd one": "map<string,array<struct<a:decimal(38,38),B:struct<c:date>>>>", "n": "bigint"},
        {"o": "struct<dt:string>"},
    ],
    "meetings.processing.spot": [
        {"vcpus": vcpus, "memoryMb": megabytes} for vcpus, megabytes in ((1, 2048), (1, 8192), (2, 4096), (2, 16_384))
    ],
    "livestream.encryptionKey": [f"{'n' * 16}\n{'o' * 16}\n"],  # the second line is an older key
    "voiceQa.queryWorker": [{"reservedConcurrency": None, "provisionedConcurrency": 100}],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in VALID.items() for value in values])
def test_a_valid_value_is_accepted(key: str, value: Any) -> None:
    assert problems(stack_config({key: value})) == []


def test_only_a_local_stack_leaves_the_url_of_the_keys_to_the_platform() -> None:
    def keys_variable(environment: str, **more: str) -> str | None:
        identity = {**IDENTITY, **more}
        settings = load_settings(stack_config({"foundation.identity": identity}, environment), environment)
        return settings.foundation.identity.token_variables(settings.environment)["jwks_url"]

    derived = f"{IDENTITY['issuer'].rstrip('/')}/.well-known/jwks.json"
    assert (keys_variable("local"), keys_variable("dev")) == (None, derived)
    assert keys_variable("local", jwksUrl="https://keys.example.com/k") == "https://keys.example.com/k"


def test_the_largest_transcript_that_can_be_uploaded_is_not_too_large_for_the_parser() -> None:
    uploads = load_settings(stack_config({"livestream.uploads.maxTranscriptMegabytes": 20}), "dev").livestream.uploads
    assert uploads.max_transcript_megabytes * MEGABYTE <= MAX_OBJECT_BYTES


def test_a_manifest_is_full_of_files_or_of_data() -> None:
    def files(**load: float) -> float:
        return files_per_run(load_settings(stack_config({"ingestion.load": load}), "dev").ingestion)

    assert (files(), files(fileMegabytes=102.4), files(fileMegabytes=20_000)) == (200, 100, 1)
