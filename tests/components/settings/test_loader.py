"""A stack's configuration becomes settings, or one message with everything that is wrong."""

import json
from typing import Any

import pytest
from pydantic.alias_generators import to_camel, to_snake

from components.settings import Environment, FunctionSettings, SettingsError, StackSettings, load
from components.settings.base import SubsystemSettings
from tests.engine import FOUNDATION


def config(foundation: dict[str, Any] | None = None, **sections: Any) -> dict[str, str]:
    values = {
        "environment": "dev",
        "exceptions": [],
        "foundation": FOUNDATION if foundation is None else foundation,
        "voiceQa": {"enabled": False},
        "livestream": {"enabled": False},
        "meetings": {"enabled": False},
        **sections,
    }
    return {f"polyphony:{key}": one if isinstance(one, str) else json.dumps(one) for key, one in values.items()}


def problems(raw: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as error:
        load(raw, "dev")
    return [str(one) for one in error.value.problems]


def test_a_minimal_stack_gets_every_number_of_the_requirements() -> None:
    settings = load(config(), "dev")
    assert settings.environment is Environment.DEV
    assert (settings.ingestion.load.files_per_day, settings.ingestion.load.file_megabytes) == (8_000, 3.5)
    assert settings.ingestion.load.peak_files_per_hour == 1_000


FUNCTIONS = [
    pytest.param(section, name, id=f"{section}-{name}")
    for section, whole in StackSettings.model_fields.items()
    if isinstance(whole.default, SubsystemSettings)
    for name, one in type(whole.default).model_fields.items()
    if isinstance(one.default, FunctionSettings)
]


@pytest.mark.parametrize(("section", "function"), FUNCTIONS)
def test_a_function_of_which_one_thing_is_said_keeps_its_other_defaults(section: str, function: str) -> None:
    default: SubsystemSettings = StackSettings.model_fields[section].default
    other = type(default).model_validate({to_camel(function): {"liveVersion": "7"}})
    assert getattr(other, function) == getattr(default, function).model_copy(update={"live_version": "7"})
    assert other.model_copy(update={function: getattr(default, function)}) == default


WRONG_TOGETHER = [
    ("ingestion", {"intake": {"corsOrigin": "*"}}),
    ("transcription", {"structuredLogging": False}),
    ("voiceQa", {"audio": {"origins": ["*"]}}),
    ("livestream", {"api": {"corsOrigin": "*"}}),
    ("meetings", {"exchange": {"corsOrigin": "*"}}),
]
"""What another section, or the environment, does not allow; a section by itself would."""


@pytest.mark.parametrize(("section", "wrong"), WRONG_TOGETHER)
def test_what_is_off_is_held_to_nothing(section: str, wrong: dict[str, Any]) -> None:
    identity = {"auth": "oidc", "issuer": "https://login.example.com/", "audience": "polyphony"}
    stack: dict[str, Any] = {"foundation": {**FOUNDATION, "identity": identity}, "environment": "prod"}
    assert any(one.startswith(section) for one in problems(config(**stack, **{section: wrong})))
    off = load(config(**stack, **{section: {**wrong, "enabled": False}}), "prod")
    assert getattr(off, to_snake(section)).enabled is False


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"manifests": {"files": True}}, "ingestion.manifests.files = true: allowed is an integer from 1"),
        ({"steps": {"reservedConcurrency": True}}, "ingestion.steps.reservedConcurrency = true: allowed is an integer"),
        ({"load": {"fileMegabytes": True}}, "ingestion.load.fileMegabytes = true: allowed is a number"),
    ],
)
def test_true_is_no_number(wrong: dict[str, Any], says: str) -> None:
    [problem] = problems(config(ingestion=wrong))
    assert problem.startswith(says)


def test_what_is_said_of_a_function_counts_even_where_it_is_the_default_of_all_functions() -> None:
    settings = load(config(ingestion={"sweeper": {"timeoutSeconds": 60}}), "dev")
    assert settings.ingestion.sweeper.timeout_seconds == 60


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            {"snapStart": True, "provisionedConcurrency": 1},
            "ingestion.sweeper = {…}: snapStart and provisionedConcurrency exclude each other: one of them is false or 0",
        ),
        (
            {"reservedConcurrency": 1, "provisionedConcurrency": 2},
            "ingestion.sweeper = {…}: provisionedConcurrency is at most reservedConcurrency",
        ),
    ],
)
def test_what_lambda_would_refuse_of_a_function_is_said_of_it(given: dict[str, Any], says: str) -> None:
    assert problems(config(ingestion={"sweeper": given})) == [says]


def test_a_function_that_is_kept_warm_by_default_says_so_to_whoever_wants_a_snapshot() -> None:
    said = problems(
        config(
            voiceQa={
                "agentcore": {"mode": "http", "endpoint": "https://localhost"},
                "socketHandler": {"snapStart": True},
            }
        )
    )
    assert said == [
        "voiceQa.socketHandler = {…}: snapStart and provisionedConcurrency exclude each other: one of them is false or 0"
    ]


def test_five_mistakes_make_one_message_with_five_lines() -> None:
    raw = config(
        {**FOUNDATION, "logs": {"retentionDays": 8}, "alerts": {"emails": ["nobody"]}},
        environment="production",
        ingestion={"builder": {"memoryMb": 64}, "intak": {}},
    )
    with pytest.raises(SettingsError) as error:
        load(raw, "dev")
    lines = str(error.value).splitlines()
    assert lines[0] == "stack dev has 5 problems in its configuration:"
    assert [line.split()[0].rstrip(":") for line in lines[1:]] == [
        "environment",
        "foundation.alerts.emails[0]",
        "foundation.logs.retentionDays",
        "ingestion.builder.memoryMb",
        "ingestion.intak",
    ]


def test_a_wrong_number_names_the_value_and_the_range() -> None:
    assert problems(config(ingestion={"builder": {"memoryMb": 64}})) == [
        "ingestion.builder.memoryMb = 64: allowed is an integer from 128 to 10240"
    ]


def test_a_wrong_choice_names_all_choices() -> None:
    assert problems(config(environment="prd")) == ['environment = "prd": allowed is one of local, dev, staging, prod']


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"intak": {}}, "ingestion.intak: is not a setting; did you mean intake?"),
        ({"log_level": "INFO"}, "ingestion.log_level: is not a setting; did you mean logLevel?"),
    ],
)
def test_an_unknown_key_is_an_error_with_a_suggestion(given: dict[str, Any], says: str) -> None:
    assert problems(config(ingestion=given)) == [says]


def test_an_unknown_key_like_no_other_is_an_error_with_all_that_are_known() -> None:
    (problem,) = problems(config({**FOUNDATION, "logs": {"zzz": 1}}))
    assert (
        problem
        == "foundation.logs.zzz: is not a setting; known here: accessLogDays, apiGatewayRoleOwned, methodMetrics, retentionDays"
    )


def test_an_unknown_section_is_an_error_with_a_suggestion() -> None:
    assert problems(config(ingestoin={})) == ["ingestoin: is not a setting; did you mean ingestion?"]


def test_the_value_of_an_unknown_key_is_never_repeated() -> None:
    raw = config(ingestion={"encryptionKy": "canary-secret"})
    assert "canary" not in "".join(problems(raw))


def test_a_missing_required_key_says_what_it_takes() -> None:
    foundation = {key: value for key, value in FOUNDATION.items() if key != "spend"}
    assert problems(config(foundation)) == ["foundation.spend: is required: a group of settings"]


def test_a_section_that_is_not_json_is_named() -> None:
    raw = {**config(), "polyphony:ingestion": "{not json"}
    assert problems(raw) == ["ingestion: is not valid JSON (line 1, column 2)"]


def test_a_section_given_as_a_word_is_refused() -> None:
    raw = {**config(), "polyphony:ingestion": "yes"}
    assert problems(raw) == ['ingestion = "yes": allowed is a group of settings']


def test_conflicts_between_sections_are_found_beside_wrong_fields() -> None:
    found = problems(config(environment="prod", ingestion={"builder": {"memoryMb": 64}}))
    assert [line.split(" ")[0] for line in found] == ["foundation.identity.auth", "ingestion.builder.memoryMb"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (
            {"memoryDays": "x", "clipMinSeconds": 80, "clipMaxSeconds": 20, "guardrailId": "abc"},
            ["agent: guardrailId and", "agent: clipMinSeconds is at most", "agent.memoryDays"],
        ),
        (
            {"overlapCharacters": 5000, "clipMinSeconds": 80, "clipMaxSeconds": 20, "guardrailId": "abc"},
            ["agent: guardrailId and", "agent: clipMinSeconds is at most", "agent: overlapCharacters is at most"],
        ),
        ({"clipMinSeconds": "x", "clipMaxSeconds": 5}, ["agent.clipMinSeconds"]),
    ],
)
def test_rules_of_a_group_are_told_beside_each_other_and_beside_wrong_fields(
    wrong: dict[str, Any], said: list[str]
) -> None:
    """Not what one says of a default that stands in for a wrong field."""
    found = [one for one in problems(config(livestream={"agent": wrong})) if one.startswith("livestream.agent")]
    words = [one.removeprefix("livestream.").replace("agent = {…}", "agent") for one in found]
    assert len(words) == len(said)
    assert all(any(word.startswith(one) for word in words) for one in said)


def test_an_address_is_subscribed_once() -> None:
    twice = {"alerts": {"emails": ["a@example.com", "b@example.com", "a@example.com"]}}
    [problem] = problems(config({**FOUNDATION, **twice}))
    assert "foundation.alerts.emails" in problem
    assert "a@example.com is given more than once" in problem


def test_nobody_to_tell_is_refused_where_others_depend_on_it() -> None:
    oidc = {"issuer": "https://login.example.com/", "audience": "us"}
    silent = {**FOUNDATION, "alerts": {}, "identity": oidc}
    assert load(config(silent), "dev").foundation.alerts.emails == ()
    assert problems(config(silent, environment="prod")) == [
        "foundation.alerts.emails = []: at least one address in prod: alarms need a reader"
    ]


def test_oidc_must_name_its_provider() -> None:
    assert "with auth oidc, issuer and audience must be given" in problems(config({**FOUNDATION, "identity": {}}))[0]


def test_keys_of_the_provider_travel_by_https_except_on_this_machine() -> None:
    plain = {**FOUNDATION, "identity": {"issuer": "http://127.0.0.1:9/", "audience": "us"}}
    assert load(config(plain, environment="local"), "local").environment is Environment.LOCAL
    assert [line.split(" = ")[0] for line in problems(config(plain))] == ["foundation.identity.issuer"]


def test_the_providers_keys_are_where_it_says_or_where_most_have_them() -> None:
    told = {"issuer": "https://login.example.com/x/", "audience": "us", "jwksUrl": "https://keys.example.com/k"}
    assert load(config({**FOUNDATION, "identity": told}), "dev").foundation.identity.keys_url == told["jwksUrl"]
    del told["jwksUrl"]
    derived = load(config({**FOUNDATION, "identity": told}), "dev").foundation.identity.keys_url
    assert derived == "https://login.example.com/x/.well-known/jwks.json"


def test_a_large_batch_needs_a_window() -> None:
    raw = config(ingestion={"intake": {"batchSize": 11, "batchWindowSeconds": 0}})
    assert problems(raw)[0].startswith("ingestion.intake.batchWindowSeconds = 0: at least 1")


def test_keys_of_other_namespaces_are_left_to_their_owners() -> None:
    assert load({**config(), "aws:region": "us-east-1"}, "dev").environment is Environment.DEV


def test_numbers_and_switches_may_be_written_as_the_cli_stores_them() -> None:
    settings = load(config(ingestion={"enabled": "false", "load": {"filesPerDay": "12"}}), "dev")
    assert (settings.ingestion.enabled, settings.ingestion.load.files_per_day) == (False, 12)


def test_settings_cannot_be_changed_afterwards() -> None:
    settings = load(config(), "dev")
    with pytest.raises(Exception, match="frozen"):
        settings.environment = Environment.PROD  # type: ignore[misc]
    assert isinstance(settings, StackSettings)
