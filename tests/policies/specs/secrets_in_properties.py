"""Specs (the required behaviour of each policy) and further cases of the guardrail policies about secrets in
properties. A value is a secret if it has a known format, or belongs to a name such as `DB_PASSWORD`.

The samples are built from parts, so that no text in this file has the form of a real secret.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any

from guardrails.model import resource_types as t
from tests.policies.policy_harness import (
    UNKNOWN,
    PolicyCase,
    PolicySpec,
    SampleResource,
    change_resource,
    expect_finding,
    expect_no_finding,
)

IN_ENVIRONMENT, IN_PROPERTIES = "no-secret-in-environment", "no-secret-in-properties"
PARAMETER_ENCRYPTED = "secret-parameter-encrypted"
LETTERS = "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zC"
"""Random letters and digits, like a key."""
HEX = "9f86d081884c7d659a2feaa0c55ad015"
ACCESS_KEY = f"AKIA{LETTERS[:16].upper()}"
WEB_TOKEN = f"eyJ{LETTERS}.eyJ{LETTERS}.{LETTERS}"
PASSWORD = "hunter" + "2hunter"


def function_with_variable(name: str, value: str) -> SampleResource:
    """Return a function with one environment variable."""
    return SampleResource(t.FUNCTION, {"environment": {"variables": {name: value}}})


def secret_variable_case(kind: str, name: str, value: str) -> PolicyCase:
    """Return a case of an environment variable with a secret. The message names its kind."""
    return expect_finding(IN_ENVIRONMENT, kind, function_with_variable(name, value))


def harmless_variable_case(name: str, value: str) -> PolicyCase:
    """Return a case of an environment variable without a secret."""
    return expect_no_finding(IN_ENVIRONMENT, function_with_variable(name, value))


def batch_job(**container: Any) -> SampleResource:
    """Return a Batch job with one container."""
    return SampleResource(t.BATCH_JOB, {"containerProperties": json.dumps(container)})


def ecs_task(**container: Any) -> SampleResource:
    """Return an ECS task with one container."""
    return SampleResource(t.TASK_DEFINITION, {"containerDefinitions": json.dumps([container])})


def secret_property_case(message_part: str, kind: str, props: Mapping[str, Any]) -> PolicyCase:
    """Return a case of a secret in a property that is not an environment variable."""
    return expect_finding(IN_PROPERTIES, message_part, SampleResource(kind, props))


def harmless_property_case(kind: str, props: Mapping[str, Any]) -> PolicyCase:
    """Return a case of a property without a secret."""
    return expect_no_finding(IN_PROPERTIES, SampleResource(kind, props))


def workflow(**state: Any) -> SampleResource:
    """Return a state machine with one state."""
    return SampleResource(t.WORKFLOW, {"definition": json.dumps({"States": {"Call": state}})})


def to_base64(text: str) -> str:
    """Return a text in Base64."""
    return base64.b64encode(text.encode()).decode()


CASES = (
    # Values with the format of a known kind of secret.
    *(
        secret_variable_case(kind, "NOTE", value)
        for kind, value in (
            ("an AWS access key", ACCESS_KEY),
            ("an AWS access key", f"id=ASIA{LETTERS[:16].upper()} next"),
            ("a private key", "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIE"),
            ("a private key", "-----BEGIN OPENSSH " + "PRIVATE KEY-----\nb3Bl"),
            ("a private key", "-----BEGIN ENCRYPTED " + "PRIVATE KEY-----\nb3Bl"),
            ("a JSON web token", WEB_TOKEN),
            ("a URL with a password", f"postgres://user:{PASSWORD}@db.example.com/app"),
            ("a URL with a password", f"redis://:{PASSWORD}@cache.example.com:6379"),
            ("a URL with a password", f"mongodb+srv://user:{PASSWORD}@db.example.com"),
            ("a presigned URL", f"https://b.s3.amazonaws.com/k?X-Amz-Expires=900&X-Amz-Signature={HEX}"),
            ("a GitHub token", f"ghp_{LETTERS}"),
            ("a GitHub token", f"github_pat_{LETTERS}"),
            ("a GitLab token", f"glpat-{LETTERS}"),
            ("a Slack token", f"xoxb-{LETTERS}"),
            ("a webhook URL", f"https://hooks.slack.com/services/{LETTERS[:20]}"),
            ("a Stripe key", f"sk_live_{LETTERS}"),
            ("a Google key", f"AIza{LETTERS}abc"),
            ("a SendGrid key", f"SG.{LETTERS[:22]}.{LETTERS}"),
            ("a Twilio key", f"SK{HEX}"),
            ("a package registry token", f"npm_{LETTERS}abcd"),
            ("a package registry token", f"pypi-{LETTERS}"),
            ("a key of a model provider", f"sk-ant-{LETTERS}"),
            ("a key of a model provider", f"hf_{LETTERS}"),
            ("a platform token", f"hvs.{LETTERS}"),
            ("a platform token", f"dapi{HEX}"),
            ("an authorization header", f"Bearer {LETTERS}"),
            ("an authorization header", f"Basic {to_base64('user:' + PASSWORD)}"),
            ("an account key", f"DefaultEndpointsProtocol=https;AccountKey={LETTERS}"),
        )
    ),
    # Values whose variable has the name of a secret.
    *(
        secret_variable_case(name, name, value)
        for name, value in (
            ("DB_PASSWORD", "x1"),
            ("DB_PASSWORD", PASSWORD),
            ("PASSWORD_OF_DB", PASSWORD),
            ("dbPassword", PASSWORD),
            ("DB_PASS", PASSWORD),
            ("DB_PWD", PASSWORD),
            ("SECRET_2", PASSWORD),
            ("STRIPE_SECRET_KEY_LIVE", PASSWORD),
            ("apiKey", PASSWORD),
            ("API-KEY", PASSWORD),
            ("SIGNING_KEY", PASSWORD),
            ("ACCESS_TOKEN", "changeme"),
            ("WEBHOOK_SECRET", PASSWORD),
            ("SSH_PASSPHRASE", "correct horse battery"),
            ("PGPASSWORD", PASSWORD),
            ("DB_PW", PASSWORD),
            ("SESSION_KEY", PASSWORD),
            ("HMAC_KEY", PASSWORD),
            ("DB_PASSWORD", f"half/{PASSWORD}"),
            ("DB_PASSWORD", f"${PASSWORD}"),
            ("DB_PASSWORD", f"%{PASSWORD}"),
        )
    ),
    # Secrets inside of longer texts.
    secret_variable_case("a password or token", "JAVA_OPTS", f"-Xmx1g -Ddb.password={PASSWORD}"),
    secret_variable_case("a password or token", "DSN", f"host=db user=app password={PASSWORD} dbname=x"),
    secret_variable_case("a password or token", "ODBC", f"Server=db;Uid=app;Pwd={PASSWORD};"),
    secret_variable_case("a password or token", "JDBC", f"jdbc:mysql://db/app?user=a&password={PASSWORD}"),
    secret_variable_case("a password or token", "CONFIG", f"api_key: '{PASSWORD}'"),
    secret_variable_case("a password or token", "CONFIG", f"db:\n  user: app\n  password: {PASSWORD}\n"),
    secret_variable_case("DB_PASSWORD", "SETTINGS", json.dumps({"DB_PASSWORD": PASSWORD})),
    secret_variable_case("token", "SETTINGS", json.dumps({"auth": [{"token": PASSWORD}]})),
    secret_variable_case("in Base64", "BLOB", to_base64(f"export DB_PASSWORD={PASSWORD}\n")),
    # Secrets in the definitions of containers and jobs.
    expect_finding(IN_ENVIRONMENT, "API_TOKEN", batch_job(environment=[{"name": "API_TOKEN", "value": PASSWORD}])),
    expect_finding(IN_ENVIRONMENT, "--password", batch_job(command=["run", "--password", PASSWORD])),
    expect_finding(IN_ENVIRONMENT, "a password or token", batch_job(command=[f"--password={PASSWORD}"])),
    expect_finding(IN_ENVIRONMENT, "command[2]", batch_job(command=["sh", "-c", f"PGPASSWORD={PASSWORD} psql"])),
    expect_finding(IN_ENVIRONMENT, "an AWS access key", batch_job(command=["run", ACCESS_KEY])),
    expect_finding(IN_ENVIRONMENT, "DB_SECRET", ecs_task(environment=[{"Name": "DB_SECRET", "Value": PASSWORD}])),
    expect_finding(IN_ENVIRONMENT, "a GitHub token", ecs_task(dockerLabels={"note": f"ghp_{LETTERS}"})),
    expect_finding(
        IN_ENVIRONMENT,
        "an authorization header",
        ecs_task(healthCheck={"command": [f"curl -H 'Authorization: Bearer {LETTERS}'"]}),
    ),
    expect_finding(
        IN_ENVIRONMENT, "--db_password", SampleResource(t.GLUE_JOB, {"defaultArguments": {"--db_password": PASSWORD}})
    ),
    expect_finding(
        IN_ENVIRONMENT,
        "a URL with a password",
        SampleResource(t.GLUE_JOB, {"nonOverridableArguments": {"--source": f"jdbc://a:{PASSWORD}@h"}}),
    ),
    expect_finding(IN_ENVIRONMENT, "a JSON web token", SampleResource(t.FUNCTION, {"description": WEB_TOKEN})),
    expect_finding(
        IN_ENVIRONMENT, "an AWS access key", SampleResource(t.BATCH_JOB, {"parameters": {"key": ACCESS_KEY}})
    ),
    # Secrets in other properties.
    secret_property_case(
        "an AWS access key", t.SSM_PARAMETER, {"type": "String", "name": "/a/note", "value": ACCESS_KEY}
    ),
    secret_property_case(
        "a URL with a password", t.SSM_PARAMETER, {"type": "StringList", "value": f"a,https://u:{PASSWORD}@h"}
    ),
    secret_property_case("variables.dbPassword", t.REST_STAGE, {"variables": {"dbPassword": PASSWORD}}),
    secret_property_case("stageVariables", t.API_V2_STAGE, {"stageVariables": {"note": f"ghp_{LETTERS}"}}),
    secret_property_case(
        "connectionProperties.PASSWORD",
        "aws:glue/connection:Connection",
        {"connectionProperties": {"USERNAME": "etl", "PASSWORD": PASSWORD}},
    ),
    secret_property_case(
        "a password or token",
        "aws:glue/connection:Connection",
        {"connectionProperties": {"JDBC_CONNECTION_URL": f"jdbc:postgresql://h/d?user=u&password={PASSWORD}"}},
    ),
    expect_finding(IN_PROPERTIES, "apiKey", workflow(Type="Task", Arguments={"headers": {"apiKey": PASSWORD}})),
    expect_finding(
        IN_PROPERTIES, "an authorization header", workflow(Parameters={"Authorization": f"Bearer {LETTERS}"})
    ),
    expect_finding(IN_PROPERTIES, "a JSON web token", workflow(Comment=f"test with {WEB_TOKEN}")),
    secret_property_case("tags.Password", t.BUCKET, {"tags": {"Password": PASSWORD}}),
    secret_property_case("an AWS access key", t.TABLE, {"tags": {"Note": ACCESS_KEY}}),
    secret_property_case("an AWS access key", t.TABLE, {"tags": {ACCESS_KEY: "note"}}),
    secret_property_case(
        "in Base64",
        "aws:ec2/launchTemplate:LaunchTemplate",
        {"userData": to_base64(f"#!/bin/sh\nDB_PASSWORD={PASSWORD}\n")},
    ),
    secret_property_case(
        "a password or token", "aws:ec2/instance:Instance", {"userData": f"#!/bin/sh\nexport API_KEY={PASSWORD}\n"}
    ),
    secret_property_case(
        "a private key", "aws:ec2/instance:Instance", {"userData": "-----BEGIN " + "PRIVATE KEY-----"}
    ),
    secret_property_case("input", t.SCHEDULE, {"target": {"input": json.dumps({"token": PASSWORD})}}),
    secret_property_case("token", t.EVENT_TARGET, {"input": json.dumps({"headers": {"token": PASSWORD}})}),
    secret_property_case(
        "a private key", t.REST_API, {"body": json.dumps({"info": {"description": "-----BEGIN " + "PRIVATE KEY-----"}})}
    ),
    secret_property_case(
        "authParameters",
        "aws:cloudwatch/eventConnection:EventConnection",
        {"authParameters": {"apiKey": {"key": "k", "value": f"sk_live_{LETTERS}"}}},
    ),
    secret_property_case("password", "aws:rds/instance:Instance", {"password": PASSWORD}),
    secret_property_case("authToken", "aws:elasticache/replicationGroup:ReplicationGroup", {"authToken": PASSWORD}),
    secret_property_case(
        "a webhook URL",
        "aws:sns/topicSubscription:TopicSubscription",
        {"endpoint": f"https://hooks.slack.com/services/{LETTERS[:20]}"},
    ),
    secret_property_case(
        "a value instead of a reference",
        t.SSM_PARAMETER,
        {"type": "String", "value": json.dumps({"clientSecret": PASSWORD})},
    ),
    expect_finding(
        PARAMETER_ENCRYPTED,
        "db-password",
        SampleResource(t.SSM_PARAMETER, {"name": "/app/db-password", "type": "String"}),
    ),
    expect_finding(
        PARAMETER_ENCRYPTED,
        "db_password_2",
        SampleResource(t.SSM_PARAMETER, {"name": "db_password_2", "type": "String"}),
    ),
    expect_finding(
        PARAMETER_ENCRYPTED, "apiKey", SampleResource(t.SSM_PARAMETER, {"name": "/app/apiKey", "type": "StringList"})
    ),
    # Harmless values.
    *(
        harmless_variable_case(name, value)
        for name, value in (
            ("TOKEN_AUDIENCE", "x"),
            ("TOKEN_ISSUER", "https://login.example.com/"),
            ("MAX_TOKENS", "900"),
            ("MAX_OUTPUT_TOKENS", "5200"),
            ("SECRET_NAME", "polyphony-prod-cursors"),
            ("SECRET_ARN", "arn:aws:secretsmanager:us-east-1:1:secret:x"),
            ("DB_PASSWORD", "/polyphony-prod/db/password"),
            ("ENCRYPTION_KEY", "/polyphony-prod-livestream-cursors"),
            ("API_KEY", "{{resolve:secretsmanager:x}}"),
            ("API_KEY", "${stageVariables.apiKey}"),
            ("DB_PASSWORD", "$DB_PASSWORD_FROM_SECRETS"),
            ("TOKEN_CHECK_ENABLED", "true"),
            ("TOKEN", ""),
            ("TOKEN", UNKNOWN),
            ("KEYBOARD", "querty"),
            ("PARTITION_KEY", "sessionId"),
            ("NOTE", "The token: a text of at most 900 characters"),
            (
                "STATE_MACHINE_ARN",
                "arn:aws:states:us-east-1:123456789012:stateMachine:polyphony-prod-ingestion-workflow",
            ),
            ("BUCKET_NAME", "polyphony-prod-livestream-transcripts-123456789012"),
            ("MODEL_ID", "us.anthropic.claude-sonnet-5-5-20260101-v1:0"),
            ("JWKS_URL", "https://login.example.com/.well-known/jwks.json"),
            ("QUEUE_URL", "https://sqs.us-east-1.amazonaws.com/123456789012/polyphony-prod-agent"),
            ("IDENTITY_POOL", "us-east-1:0b1c2d3e-1111-4222-8333-0123456789ab"),
            ("SUBNET", "subnet-0123456789abcdef0"),
            ("LANGUAGES", "en-US,en-GB,de-DE,fr-FR,es-ES,pt-BR,ja-JP"),
            ("DEPENDENCIES_HASH", HEX * 2),
            ("IMAGE", f"123456789012.dkr.ecr.us-east-1.amazonaws.com/x@sha256:{HEX * 2}"),
        )
    ),
    expect_no_finding(
        IN_ENVIRONMENT, batch_job(secrets=[{"name": "DB_PASSWORD", "valueFrom": "arn:aws:ssm:r:1:parameter/x"}])
    ),
    expect_no_finding(IN_ENVIRONMENT, batch_job(command=["run", "--password-file", "/run/secrets/db"])),
    expect_no_finding(IN_ENVIRONMENT, SampleResource(t.FUNCTION, {"sourceCodeHash": LETTERS})),
    harmless_property_case(t.SSM_PARAMETER, {"type": "SecureString", "value": ACCESS_KEY}),
    harmless_property_case(t.SECRET_VERSION, {"secretString": ACCESS_KEY}),
    harmless_property_case(t.TABLE, {"tags": {"Name": "Tokens", "Backup": "daily"}}),
    harmless_property_case(t.TABLE, {"tags": {"CallersCheckedBy": "the router verifies the token in the header"}}),
    expect_no_finding(IN_PROPERTIES, workflow(Arguments={"TaskToken": "{% $states.context.Task.Token %}"})),
    expect_no_finding(IN_PROPERTIES, workflow(Parameters={"Token.$": "$.token"})),
    harmless_property_case("aws:apigateway/deployment:Deployment", {"triggers": {"document": HEX * 2}}),
    harmless_property_case(t.KMS_KEY, {"enableKeyRotation": True, "description": "Key of the secrets"}),
    harmless_property_case(
        t.REST_API, {"body": json.dumps({"properties": {"token": {"type": "string"}, "password": {"minLength": 8}}})}
    ),
    expect_no_finding(
        PARAMETER_ENCRYPTED, SampleResource(t.SSM_PARAMETER, {"name": "/app/token-issuer", "type": "String"})
    ),
    expect_no_finding(
        IN_PROPERTIES, function_with_variable("DB_PASSWORD", PASSWORD)
    ),  # the policy about environments finds it
)
SPECS = (
    PolicySpec(
        IN_ENVIRONMENT,
        good=[
            SampleResource(t.FUNCTION, {"environment": {"variables": {"ENCRYPTION_KEY": "/p/key", "LATE": UNKNOWN}}})
        ],
        bad=[function_with_variable("API_KEY", PASSWORD)],
        message_part="environment.variables.API_KEY contains a value instead of a reference",
        unknown=[SampleResource(t.FUNCTION, {"environment": {"variables": {"LATE": UNKNOWN, "API_KEY": PASSWORD}}})],
        break_program=change_resource(t.FUNCTION, {"environment": {"variables": {"API_KEY": PASSWORD}}}),
        undecided=False,
    ),
    PolicySpec(
        IN_PROPERTIES,
        good=[SampleResource(t.TABLE, {"tags": {"Note": "nothing"}})],
        bad=[SampleResource(t.TABLE, {"tags": {"Note": ACCESS_KEY}})],
        message_part="tags.Note contains an AWS access key",
        unknown=[SampleResource(t.TABLE, {"name": UNKNOWN, "tags": {"Note": ACCESS_KEY}})],
        break_program=change_resource(t.REST_STAGE, {"variables": {"apiKey": PASSWORD}}),
        undecided=False,
    ),
)
