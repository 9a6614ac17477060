"""Tests of the rules about secrets. The samples are built from parts, so that no text here has the form of a secret."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from guardrails.rules import secrets
from tests.policies.program import UNKNOWN, Program
from tests.whole_program import ONE_WORKER

pytestmark = ONE_WORKER

Break = Callable[[Program], str]
[POLICY] = [policy.name for policy in secrets.POLICIES]
FUNCTION, JOB, QUEUE = "aws:lambda/function:Function", "aws:batch/jobDefinition:JobDefinition", "aws:sqs/queue:Queue"
LETTERS, PASSWORD = "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zC", "hunter" + "2hunter"
HEX = "9f86d081884c7d659a2feaa0c55ad015"
ACCESS_KEY = f"AKIA{LETTERS[:16].upper()}"
SECRETS = (
    ACCESS_KEY,
    "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIE",
    f"eyJ{LETTERS}.eyJ{LETTERS}.{LETTERS}",
    f"postgres://user:{PASSWORD}@db.example.com/app",
    f"ghp_{LETTERS}",
    f"github_pat_{LETTERS}",
    f"xoxb-{LETTERS}",
    f"https://hooks.slack.com/services/{LETTERS}",
    f"sk_live_{LETTERS}",
    f"AIza{LETTERS}abc",
    f"-Xmx1g -Ddb.password={PASSWORD}",
)
SECRET_NAMES = (
    *("DB_PASSWORD", "dbPassword", "DB_PASS", "DB_PWD", "SECRET_2", "PGPASSWORD", "apiKey", "API-KEY", "SIGNING_KEY"),
    *("ACCESS_TOKEN", "Authorization", "SSH_PASSPHRASE", "clientSecret", "CREDENTIALS"),
)
HARMLESS_VARIABLES = {
    "TOKEN_AUDIENCE": "x",
    "MAX_TOKENS": "900",
    "SECRET_NAME": "polyphony-prod-cursors",
    "SECRET_ARN": "arn:aws:secretsmanager:us-east-1:1:secret:x",
    "DB_PASSWORD": "/polyphony-prod/db/password",
    "API_KEY": "{{resolve:secretsmanager:x}}",
    "ACCESS_TOKEN": "https://login.example.com/token",
    "CHECK_TOKEN": "true",
    "ENCRYPTION_KEY": UNKNOWN,
    "PARTITION_KEY": "sessionId",
    "NOTE": "The token: a text of at most 900 characters, password=${PASSWORD}",
    "HASH": HEX * 2,
    "IDENTITY_POOL": "us-east-1:0b1c2d3e-1111-4222-8333-0123456789ab",
    "MODEL": "us.anthropic.claude-sonnet-5-5-20260101-v1:0",
}


def set_variable(name: str, value: str) -> Break:
    def change(program: Program) -> str:
        return program.edit(FUNCTION, "environment", lambda environment: environment["variables"].update({name: value}))

    return change


def set_container(key: str, value: Any) -> Break:
    return lambda program: program.edit(JOB, "containerProperties", lambda container: container.update({key: value}))


BREAKS: dict[str, Break] = {
    **{value[:12]: set_variable("NOTE", value) for value in SECRETS},
    **{name: set_variable(name, PASSWORD) for name in SECRET_NAMES},
    "settings": set_variable("SETTINGS", json.dumps({"auth": [{"token": PASSWORD}]})),
    "pair": set_container("environment", [{"name": "API_TOKEN", "value": PASSWORD}]),
    "flag": set_container("command", ["run", "--password", PASSWORD]),
    "label": set_container("command", ["run", ACCESS_KEY]),
    "tag": lambda program: program.change(QUEUE, tags={"Note": ACCESS_KEY}),
    "key of a tag": lambda program: program.change(QUEUE, tags={ACCESS_KEY: "x", "Other": UNKNOWN}),
    "after unknown values": lambda program: program.change(
        QUEUE, tags=[UNKNOWN, {"name": UNKNOWN, "value": ACCESS_KEY}]
    ),
    "nested JSON": lambda program: program.change(
        QUEUE, redrivePolicy=json.dumps(json.dumps([{"password": PASSWORD}]))
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_secret_is_reported_about_its_resource_without_its_value(name: str) -> None:
    program = Program()
    faulty = BREAKS[name](program)
    message = program.find(POLICY)[faulty]
    assert message
    assert not [value for value in (ACCESS_KEY, PASSWORD, LETTERS) if value in message]


def test_harmless_variables_and_stored_secrets_are_no_finding() -> None:
    program = Program()
    for name, value in HARMLESS_VARIABLES.items():
        set_variable(name, value)(program)
    program.change(QUEUE, tags={"Commit": HEX + HEX[:8], "Token": f"arn:aws:sqs:us-east-1:123456789012:{LETTERS}"})
    program.change("aws:ssm/parameter:Parameter", value=ACCESS_KEY)
    assert program.find(POLICY) == {}
    stored = program.change("aws:ssm/parameter:Parameter", type="String")
    assert program.find(POLICY)[stored]
