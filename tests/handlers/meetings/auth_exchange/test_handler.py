"""Tests of the token exchange, which trades an identity provider's token for AWS credentials.

They show who gets credentials, for which user, and that no secret is disclosed.
"""

import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from hypothesis import HealthCheck, given, settings

from handlers.common.ids import derive_user_id, new_id
from handlers.common.tokens import REFETCH_COOLDOWN_SECONDS
from handlers.meetings.auth_exchange import handler
from handlers.meetings.auth_exchange.api import ExchangeRequest, ExchangeResponse, sanitise_session_name
from handlers.meetings.auth_exchange.handler import (
    RETRY_AFTER_SECONDS,
    ClientRole,
    MeetingsLocation,
    SessionCredentials,
)
from handlers.meetings.deletions import DeletedMeeting
from handlers.meetings.record import MeetingRecord, MeetingStatus, record_key
from handlers.meetings.s3_keys import MeetingId
from tests.handlers.livestream.json_schema_strategies import arbitrary_values, valid_values, validator
from tests.handlers.meetings.exchange_harness import (
    CREDENTIAL_SECONDS,
    LOCATION,
    ORIGIN,
    RENEW_BEFORE_SECONDS,
    ROLE,
    ExchangeHarness,
    ParsedResponse,
    api_gateway_event,
)
from tests.handlers.scripted_clients import stubbed
from tests.token_issuer import AUDIENCE, Key, Provider, assemble_token, seconds_from_now

CANARY = "canary-7f3a"
"""Text in secrets and errors that must not appear in responses or logs."""


def test_a_valid_token_returns_the_users_credentials_and_resources(exchange_harness: ExchangeHarness) -> None:
    response = exchange_harness.exchange(exchange_harness.provider.token(sub="ann"), "ann's laptop")
    assert (response.status, response.headers["Cache-Control"]) == (200, "no-store")
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    user = derive_user_id(exchange_harness.provider.issuer, "ann")
    body = response.body
    assert all(body[name] for name in ("accessKeyId", "secretAccessKey", "sessionToken"))
    location = MeetingsLocation(body["bucketName"], body["tableName"], body["region"])
    assert (body["user"], location) == (user, LOCATION)
    assert body["prefixes"] == {
        name: f"{name}/{user}/" for name in ("raw", "video", "audio", "transcripts", "summaries")
    }


def test_the_role_is_assumed_with_the_user_as_tag_and_the_sanitised_session_name(
    exchange_harness: ExchangeHarness,
) -> None:
    exchange_harness.exchange(exchange_harness.provider.token(sub="ann"), "ann's läptop / 1")
    user = derive_user_id(exchange_harness.provider.issuer, "ann")
    call = {"RoleArn": ROLE, "RoleSessionName": "annslptop1", "DurationSeconds": CREDENTIAL_SECONDS}
    assert exchange_harness.assume_role_calls == [{**call, "Tags": [{"Key": "user", "Value": user}]}]


def test_credentials_are_to_be_renewed_well_before_they_expire(exchange_harness: ExchangeHarness) -> None:
    start = datetime.now(UTC)
    body = exchange_harness.exchange().body
    expiration, renew_after = (datetime.fromisoformat(body[name]) for name in ("expiration", "renewAfter"))
    assert timedelta(minutes=59) < expiration - start < timedelta(minutes=61)
    assert expiration - renew_after == timedelta(seconds=RENEW_BEFORE_SECONDS)


# Invalid tokens


REFUSED_TOKENS: dict[str, tuple[Callable[[Provider], str], str]] = {
    "a wrong key": (lambda provider: provider.signed(provider.claims(), Key("other"), kid="first"), "TOKEN_REFUSED"),
    "no signature": (
        lambda provider: assemble_token({"alg": "none", "kid": "first"}, provider.claims()),
        "TOKEN_REFUSED",
    ),
    "another audience": (lambda provider: provider.token(aud="others"), "TOKEN_REFUSED"),
    "expired": (lambda provider: provider.token(exp=seconds_from_now(-60)), "TOKEN_EXPIRED"),
    "not yet valid": (lambda provider: provider.token(nbf=seconds_from_now(3600)), "TOKEN_NOT_YET_VALID"),
    "not a token": (lambda _: "x", "TOKEN_REFUSED"),
}
"""Some invalid tokens. The tests of `tokens` contain all of them."""


def test_an_invalid_token_is_a_401_with_a_code_and_no_details(exchange_harness: ExchangeHarness) -> None:
    for case, (create_token, code) in REFUSED_TOKENS.items():
        response = exchange_harness.exchange(create_token(exchange_harness.provider))
        assert response.error == (401, code, []), case
        assert response.body["message"] == "The token is not valid."
    assert exchange_harness.assume_role_calls == []


def test_a_rotated_key_is_accepted_and_the_old_one_is_refused(exchange_harness: ExchangeHarness) -> None:
    provider = exchange_harness.provider
    token_of_old_key = provider.token()
    assert exchange_harness.exchange(token_of_old_key).status == 200
    provider.rotate("second")
    exchange_harness.clock_seconds += REFETCH_COOLDOWN_SECONDS
    assert exchange_harness.exchange(provider.token()).status == 200
    assert exchange_harness.exchange(token_of_old_key).error == (401, "TOKEN_REFUSED", [])


def test_an_unavailable_identity_provider_is_a_503(exchange_harness: ExchangeHarness) -> None:
    exchange_harness.provider.status = 500
    response = exchange_harness.exchange()
    assert response.error == (503, "UNAVAILABLE", [])
    assert response.headers["Retry-After"] == str(RETRY_AFTER_SECONDS)
    assert response.headers["Access-Control-Expose-Headers"] == "Retry-After", (
        "otherwise pages could not read the header"
    )
    exchange_harness.provider.status = 200
    exchange_harness.clock_seconds += RETRY_AFTER_SECONDS
    assert exchange_harness.exchange().status == 200, "the failure must not be cached"


# Bodies


def test_a_malformed_body_is_a_400_with_the_field(exchange_harness: ExchangeHarness) -> None:
    cases: list[tuple[Any, list[str]]] = [
        ({}, ["token", "sessionName"]),
        ({"token": "x", "sessionName": "日本語a"}, ["sessionName"]),
        # Without valid text or an object, the error names no field.
        ({"token": "\ud800", "sessionName": "laptop"}, []),
        ("x", []),
    ]
    for body, fields in cases:
        assert exchange_harness.send_body(json.dumps(body)).error == (400, "MALFORMED", fields), body
    assert exchange_harness.provider.request_count == 0, "the identity provider's keys must not be requested"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=10)
@given(body=valid_values(ExchangeRequest), other=arbitrary_values(ExchangeRequest))
def test_any_json_is_answered_without_an_internal_error_and_accepted_as_the_api_document_says(
    exchange_harness: ExchangeHarness, body: dict[str, Any], other: Any
) -> None:
    assert exchange_harness.send_body(json.dumps(other)).status in {400, 401}
    validator(ExchangeRequest).validate(body)
    response = exchange_harness.send_body(json.dumps(body))
    assert response.error[:2] in {(400, "MALFORMED"), (401, "TOKEN_REFUSED")}
    response = exchange_harness.exchange(session_name=body["sessionName"])
    assert response.status == (200 if len(sanitise_session_name(body["sessionName"])) >= 2 else 400)


def test_the_response_matches_the_api_document(exchange_harness: ExchangeHarness) -> None:
    validator(ExchangeResponse, is_answer=True).validate(exchange_harness.exchange().body)


# Two users


def test_two_users_with_equal_session_names_stay_separate(exchange_harness: ExchangeHarness) -> None:
    bodies = [
        exchange_harness.exchange(exchange_harness.provider.token(sub=subject), name).body
        for subject, name in (("ann", "ann"), ("bob", "ann!"))
    ]
    tags = [call["Tags"][0]["Value"] for call in exchange_harness.assume_role_calls]
    assert [call["RoleSessionName"] for call in exchange_harness.assume_role_calls] == ["ann", "ann"]
    assert tags == [derive_user_id(exchange_harness.provider.issuer, subject) for subject in ("ann", "bob")]
    assert [body["user"] for body in bodies] == tags
    assert not set(bodies[0]["prefixes"].values()) & set(bodies[1]["prefixes"].values())


# Deletion


def store_meeting(harness: ExchangeHarness, subject: str) -> MeetingId:
    """Store a meeting of a user that is ready."""
    meeting = MeetingId(derive_user_id(harness.provider.issuer, subject), new_id())
    record = MeetingRecord(
        user=meeting.user,
        meeting_id=meeting.meeting_id,
        content="0" * 32,
        title=CANARY,
        started_at="2026-01-31T10:00:00.000Z",
        status=MeetingStatus.READY,
        created_at="2026-01-31T10:00:00.000Z",
        updated_at="2026-01-31T10:00:00.000Z",
    )
    harness.records.change(record_key(meeting), lambda _: record)
    return meeting


def test_a_deleted_meeting_is_a_tombstone_at_once_and_its_data_is_removed_twice(
    exchange_harness: ExchangeHarness,
) -> None:
    meeting = store_meeting(exchange_harness, "ann")
    bearer = f"Bearer {exchange_harness.provider.token(sub='ann')}"
    for number in (1, 2):  # a second deletion has the same result
        response = exchange_harness.delete(meeting.meeting_id, bearer)
        assert (response.status, response.text) == (204, "")
        record = exchange_harness.records.read(record_key(meeting))
        assert record is not None
        assert (record.status, record.title, record.started_at) == (MeetingStatus.DELETED, "", None)
        body = DeletedMeeting(user=meeting.user, meeting_id=meeting.meeting_id).model_dump_json(by_alias=True)
        assert exchange_harness.queued_messages == [(body, 5), (body, 900)] * number


def test_another_users_meeting_is_a_404_like_one_that_does_not_exist(exchange_harness: ExchangeHarness) -> None:
    meeting_of_ann = store_meeting(exchange_harness, "ann")
    before = exchange_harness.records.read(record_key(meeting_of_ann))
    for meeting_id in (new_id(), meeting_of_ann.meeting_id):
        response = exchange_harness.delete(meeting_id, f"Bearer {exchange_harness.provider.token(sub='bob')}")
        assert response.error == (404, "MEETING_UNKNOWN", [])
    assert exchange_harness.records.read(record_key(meeting_of_ann)) == before
    assert exchange_harness.queued_messages == []


def test_a_deletion_without_a_valid_token_is_a_401(exchange_harness: ExchangeHarness) -> None:
    meeting = store_meeting(exchange_harness, "ann")
    token_without_scheme = exchange_harness.provider.token(sub="ann")
    for authorization in (None, "", "Bearer", "Bearer x", "Basic YTpi", token_without_scheme):
        response = exchange_harness.delete(meeting.meeting_id, authorization)
        assert response.error == (401, "TOKEN_REFUSED", []), authorization
    assert exchange_harness.queued_messages == []


def test_an_invalid_meeting_id_is_a_400(exchange_harness: ExchangeHarness) -> None:
    bearer = f"Bearer {exchange_harness.provider.token()}"
    assert exchange_harness.delete("../x", bearer).error == (400, "MALFORMED", ["meetingId"])


def test_a_deletion_whose_messages_cannot_be_sent_changes_nothing(
    exchange_harness: ExchangeHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    """The client gets an error and deletes the meeting again."""
    meeting = store_meeting(exchange_harness, "ann")
    exchange_harness.sqs.delete_queue(QueueUrl=exchange_harness.queue_url)
    response = exchange_harness.delete(meeting.meeting_id, f"Bearer {exchange_harness.provider.token(sub='ann')}")
    assert response.error == (500, "INTERNAL", [])
    record = exchange_harness.records.read(record_key(meeting))
    assert record is not None
    assert record.status is MeetingStatus.READY
    assert meeting.meeting_id not in capsys.readouterr().out


# STS


class UnresponsiveSts:
    """An STS that never responds."""

    def assume_role(self, **_: Any) -> Any:
        raise ReadTimeoutError(endpoint_url=CANARY)


def test_a_throttled_or_unresponsive_sts_is_a_503(exchange_harness: ExchangeHarness) -> None:
    for code in ("Throttling", "RequestLimitExceeded", None):
        with stubbed("sts") as (client, stubber):
            if code is not None:
                stubber.add_client_error("assume_role", code, CANARY, 400)
            sts: Any = UnresponsiveSts() if code is None else client
            exchange_harness.role = ClientRole(sts, ROLE, CREDENTIAL_SECONDS)
            response = exchange_harness.exchange()
        assert response.error == (503, "UNAVAILABLE", [])
        assert response.headers["Retry-After"] == str(RETRY_AFTER_SECONDS)
        assert CANARY not in response.text


def test_a_refusal_by_sts_is_a_500_without_details(
    exchange_harness: ExchangeHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    for code in ("AccessDenied", "RegionDisabledException"):
        with stubbed("sts") as (client, stubber):
            stubber.add_client_error("assume_role", code, CANARY, 403)
            exchange_harness.role = ClientRole(client, ROLE, CREDENTIAL_SECONDS)
            response = exchange_harness.exchange()
        assert response.error == (500, "INTERNAL", [])
        assert CANARY not in response.text
    logged = capsys.readouterr().out
    assert CANARY not in logged
    lines = [line for line in map(json.loads, logged.splitlines()) if "cause" in line]
    assert [(line["level"], line["cause"]) for line in lines] == [("ERROR", "refused"), ("ERROR", "unknown")]


def test_credentials_are_not_in_any_representation() -> None:
    expiration = datetime(2026, 1, 1, tzinfo=UTC)
    texts = [
        repr(SessionCredentials(CANARY, CANARY, CANARY, expiration)),
        repr(ExchangeRequest(token=CANARY, session_name=CANARY)),
    ]
    assert CANARY not in "".join(texts)


# The function with its environment


@pytest.fixture
def configured_function(
    exchange_harness: ExchangeHarness, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ExchangeHarness]:
    variables = {
        "ISSUER": exchange_harness.provider.issuer,
        "AUDIENCE": AUDIENCE,
        "JWKS_URL": exchange_harness.provider.keys_url,
        "CLIENT_ROLE": ROLE,
        "BUCKET_NAME": "configured-recordings",
        "TABLE_NAME": "configured-meetings",
        "DELETIONS_QUEUE_URL": exchange_harness.queue_url,
        "ORIGIN": "https://one.example",
        "CREDENTIAL_SECONDS": "1800",
        "RENEW_BEFORE_SECONDS": "300",
        "LOG_LEVEL": "DEBUG",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    handler._dispatcher.cache_clear()
    yield exchange_harness
    handler._dispatcher.cache_clear()


def call_function(token: str, session_name: str) -> ParsedResponse:
    body = json.dumps({"token": token, "sessionName": session_name})
    return ParsedResponse(handler.handler(api_gateway_event(body), None))


def test_the_function_uses_its_environment(configured_function: ExchangeHarness) -> None:
    before = datetime.now(UTC)
    response = call_function(configured_function.provider.token(sub="ann"), "laptop")
    assert response.headers["Access-Control-Allow-Origin"] == "https://one.example"
    body = response.body
    resources = [body[name] for name in ("bucketName", "tableName", "region")]
    assert resources == ["configured-recordings", "configured-meetings", "us-east-1"]
    expiration, renew_after = (datetime.fromisoformat(body[name]) for name in ("expiration", "renewAfter"))
    assert expiration - renew_after == timedelta(seconds=300)
    assert timedelta(seconds=1790) < expiration - before < timedelta(seconds=1900)


def test_no_log_level_shows_tokens_credentials_or_session_names(
    configured_function: ExchangeHarness, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    provider, session_name = configured_function.provider, f"{CANARY} name"
    tokens = [provider.token(sub=CANARY), *(create_token(provider) for create_token, _ in REFUSED_TOKENS.values())]
    responses = [call_function(token, session_name) for token in tokens] + [call_function(tokens[0], "!")]
    handler.handler(api_gateway_event(f'{{"token": "{CANARY}", "sessionName": 5}}'), None)
    handler.handler(api_gateway_event(CANARY), None)
    provider.rotate("third")
    responses.append(call_function(provider.token(sub=CANARY), session_name))
    assert responses[0].status == 200
    credentials = [responses[0].body[field] for field in ("accessKeyId", "secretAccessKey", "sessionToken", "user")]
    token_parts = [part for token in tokens for part in token.split(".") if len(part) > 20]
    output = capsys.readouterr()
    logs = output.out + output.err + caplog.text
    assert "caller_refused" in logs
    for secret in [CANARY, sanitise_session_name(session_name), *credentials, *token_parts]:
        assert secret not in logs
