"""Tests of the loader, which returns the settings of a configuration, or one error with all problems."""

import pytest
from pydantic.alias_generators import to_camel

from components.settings import Environment, FunctionSettings, SettingsError, StackSettings, load_settings
from components.settings.base import SubsystemSettings
from components.settings.stack import SECRETS
from local.generate.generated_files import stack_schema
from tests.components.settings.stack_config import ENCRYPTION_KEY, stack_config


def test_a_partly_configured_function_keeps_its_other_defaults() -> None:
    subsystems = [field.default for field in StackSettings.model_fields.values()]
    for default in (item for item in subsystems if isinstance(item, SubsystemSettings)):
        for name, field in type(default).model_fields.items():
            if isinstance(field.default, FunctionSettings):
                changed = type(default).model_validate({to_camel(name): {"liveVersion": "7"}})
                expected = getattr(default, name).model_copy(update={"live_version": "7"})
                assert changed == default.model_copy(update={name: expected})


def test_one_error_lists_all_invalid_keys_without_secret_values() -> None:
    invalid = {
        "foundation.logs.retentionDays": 8,
        "foundation.alerts.emails": ["nobody"],
        "foundation.spend": {},
        "ingestion.manifestBuilder.memoryMb": 64,
        "ingestion.manifests.files": True,
        "ingestion.log_level": "canary",
        "ingestoin": {"encryptionKey": "canary"},
        "livestream.encryptionKey": "canary",
        "meetings": ["canary"],
        "transcription": "{canary",
        "voiceQa.guestIdKey": 7_000_000,
        "voiceQa.queryWorker": {"provisionedConcurrency": 51},
        "voiceQa.agentcore.zzz": "canary",
        "voiceQa.agentcore.mode": "ü" * 100,
        "voiceQa.agentcore.endpoint": "https://user:canary@agent.example.com",
    }
    other_keys = {"aws:region": "eu-centrall-1", "polyfony:meetings": "canary", "gcp:project": "canary"}
    with pytest.raises(SettingsError) as error:
        load_settings({**stack_config(invalid, "prd"), **other_keys}, "dev")
    text = str(error.value)
    invalid_parts = {"foundation.alerts.emails": "[0]", "foundation.spend": ".monthlyBudget"}
    keys = {*other_keys, "environment", *(key + invalid_parts.get(key, "") for key in invalid)}
    assert {line.strip().partition(": ")[0] for line in text.splitlines()[1:]} == keys
    assert "canary" not in text
    assert "7000000" not in text
    assert '{"' not in text, "the line of a section does not repeat its content"
    hints = (
        "eu-central-1?",
        "did you mean polyphony?",
        "possible are aws, polyphony, pulumi",
        "logLevel?",
        "ingestion?",
        "given 64; ",
        "or equal to 128",
        "possible are answerSeconds, ",
    )
    for hint in (*hints, f'given "{"ü" * 79}; '):
        assert hint in text


def test_the_secrets_are_those_of_the_models() -> None:
    """The loader, the preview and the check for missing secrets use the list."""
    schema = stack_schema()
    secrets = [
        (model, name)
        for model, definition in schema["$defs"].items()
        for name, field in definition.get("properties", {}).items()
        if "writeOnly" in str(field)
    ]
    sections = {"VoiceQaSettings": "voiceQa", "LivestreamSettings": "livestream"}
    assert sorted(f"{sections[model]}.{name}" for model, name in secrets) == sorted(SECRETS)


def test_secrets_are_not_in_any_text_form_of_the_settings_and_keys_of_pulumi_and_its_provider_are_ignored() -> None:
    other_keys = {"aws:region": "us-east-1", "aws:profile": "work", "pulumi:tags": "{}"}
    settings = load_settings({**stack_config(), **other_keys}, "dev")
    assert settings.environment is Environment.DEV
    assert ENCRYPTION_KEY not in repr(settings) + str(settings.model_dump()) + settings.model_dump_json()


def test_numbers_and_switches_may_be_written_as_the_cli_stores_them() -> None:
    settings = load_settings(stack_config({"ingestion.enabled": "false", "ingestion.load.filesPerDay": "12"}), "dev")
    assert (settings.ingestion.enabled, settings.ingestion.load.files_per_day) == (False, 12)


def test_a_disabled_subsystem_needs_no_secret() -> None:
    changes = {f"{key.partition('.')[0]}.enabled": False for key in SECRETS} | dict.fromkeys(SECRETS)
    load_settings(stack_config(changes, "prod"), "dev", is_secret=lambda _: False)
