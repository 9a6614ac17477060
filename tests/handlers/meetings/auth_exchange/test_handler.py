"""Tests of the meetings API: who gets AWS credentials, for which user, who may delete a meeting, and that no secret is
disclosed.
"""

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from hypothesis import HealthCheck, given, settings

from handlers.common.ids import derive_user_id, new_id
from handlers.meetings.auth_exchange import handler
from handlers.meetings.auth_exchange.api import ExchangeRequest, ExchangeResponse
from handlers.meetings.deletions import DeletedMeeting
from handlers.meetings.record import MeetingStatus
from handlers.meetings.s3_keys import MeetingId
from tests.handlers.common.fakes import RestResponse, client_error
from tests.handlers.json_schema_strategies import arbitrary_values, valid_values, validator
from tests.handlers.meetings.meeting_harness import BUCKET, ROLE, TABLE, MeetingHarness, at_event
from tests.token_issuer import Key, Provider, seconds_from_now

CANARY = "canary-7f3a"
"""Text in secrets and errors that must not appear in responses or logs."""


class ParsedResponse(RestResponse):
    """Response of the function."""

    @property
    def error(self) -> tuple[int, str, list[str]]:
        """Status, code and wrong fields of an error."""
        assert set(self.body) == {"code", "message", "fields", "requestId"}
        return self.status, self.body["code"], [field["field"] for field in self.body["fields"]]


def send_request(method: str, resource: str, **event: Any) -> ParsedResponse:
    request = {"resource": resource, "httpMethod": method, "requestContext": {"requestId": "r1"}}
    return ParsedResponse(handler.handler({**request, **event}, None))


def send_body(body: str) -> ParsedResponse:
    """Send any text as the body of a request for an exchange."""
    return send_request("POST", "/exchange", body=body)


def exchange(token: str, session_name: object = "laptop") -> ParsedResponse:
    return send_body(json.dumps({"token": token, "sessionName": session_name}))


def delete(meeting_id: str, authorization: str | None) -> ParsedResponse:
    """Delete a meeting, with this value of the header `Authorization`."""
    headers = {"authorization": authorization} if authorization is not None else None
    return send_request("DELETE", "/meetings/{meetingId}", pathParameters={"meetingId": meeting_id}, headers=headers)


def user_of(harness: MeetingHarness, subject: str) -> str:
    return derive_user_id(harness.provider.issuer, subject)


def test_a_valid_token_returns_the_users_credentials_and_resources(harness: MeetingHarness) -> None:
    response = exchange(harness.provider.token(sub="ann"), "ann's laptop")
    assert (response.status, response.headers["Cache-Control"]) == (200, "no-store")
    assert response.headers["Access-Control-Allow-Origin"] == "https://one.example"
    user, body = user_of(harness, "ann"), response.body
    assert all(body[name] for name in ("accessKeyId", "secretAccessKey", "sessionToken"))
    assert [body[name] for name in ("user", "bucketName", "tableName", "region")] == [user, BUCKET, TABLE, "us-east-1"]
    validator(ExchangeResponse, is_answer=True).validate(body)
    expiration, renew_after = (datetime.fromisoformat(body[name]) for name in ("expiration", "renewAfter"))
    assert abs(expiration - datetime.now(UTC) - timedelta(hours=1)) < timedelta(minutes=1)
    assert expiration - renew_after == timedelta(minutes=15)


SESSION_NAMES = {
    "ann's läptop / 1": "annslptop1",
    "annslptop1": "annslptop1",
    "=,.@_-[]^+:*\\": "=,.@_-",
    "A\n0": "A0",
    "\u017ftreet \u212a": "treet",  # case folding would turn two of these letters into ASCII
    "x" * 1000: "x" * 64,
}
"""Names that callers send, and what they become."""


def test_the_role_is_assumed_with_the_user_as_tag_and_the_sanitised_session_name(harness: MeetingHarness) -> None:
    calls: list[dict[str, Any]] = []

    def record_call(params: dict[str, Any], **_: Any) -> None:
        calls.append(dict(params))

    with at_event(harness.clients["sts"], "provide-client-params.sts.AssumeRole", record_call):
        bodies = [
            exchange(harness.provider.token(sub=str(number)), name).body for number, name in enumerate(SESSION_NAMES)
        ]
    users = [user_of(harness, str(number)) for number in range(len(SESSION_NAMES))]
    assert calls == [
        {"RoleArn": ROLE, "RoleSessionName": name, "DurationSeconds": 3600, "Tags": [{"Key": "user", "Value": user}]}
        for user, name in zip(users, SESSION_NAMES.values(), strict=True)
    ]
    assert [body["user"] for body in bodies] == users, "two users with equal session names stay separate"


# Invalid tokens


REFUSED_TOKENS: dict[str, tuple[Callable[[Provider], str], str]] = {
    "a wrong key": (lambda provider: provider.signed(provider.claims(), Key("other"), kid="first"), "TOKEN_REFUSED"),
    "expired": (lambda provider: provider.token(exp=seconds_from_now(-60)), "TOKEN_EXPIRED"),
    "not yet valid": (lambda provider: provider.token(nbf=seconds_from_now(3600)), "TOKEN_REFUSED"),
}
"""Some invalid tokens. The tests of `tokens` contain all of them."""


def test_an_invalid_token_is_a_401_with_a_code_and_no_details(harness: MeetingHarness) -> None:
    for case, (create_token, code) in REFUSED_TOKENS.items():
        response = exchange(create_token(harness.provider))
        assert response.error == (401, code, []), case
        text = "The token has expired." if code == "TOKEN_EXPIRED" else "The token is missing or not valid."
        assert response.body["message"] == text


def test_an_unavailable_identity_provider_is_a_503(harness: MeetingHarness) -> None:
    harness.provider.is_unreachable = True
    response = exchange(harness.provider.token())
    assert response.error == (503, "UNAVAILABLE", [])
    harness.provider.is_unreachable = False
    assert exchange(harness.provider.token()).status == 200, "the failure must not be cached"


# Bodies


def test_a_malformed_body_is_a_400_with_the_field(harness: MeetingHarness) -> None:
    cases: list[tuple[Any, list[str]]] = [
        ({}, ["token", "sessionName"]),
        ({"token": "x", "sessionName": "日本語a"}, ["sessionName"]),
        ({"token": "x", "sessionName": "a" * 1001}, ["sessionName"]),
        # Without valid text or an object, the error names no field.
        ({"token": "\ud800", "sessionName": "laptop"}, []),
        ("x", []),
    ]
    for body, fields in cases:
        assert send_body(json.dumps(body)).error == (400, "MALFORMED", fields), body
    assert harness.provider.request_count == 0, "the identity provider's keys must not be requested"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=10)
@given(body=valid_values(ExchangeRequest), other=arbitrary_values(ExchangeRequest))
def test_any_json_is_answered_without_an_internal_error_and_accepted_as_the_api_document_says(
    harness: MeetingHarness, body: dict[str, Any], other: Any
) -> None:
    assert send_body(json.dumps(other)).status in {400, 401}
    validator(ExchangeRequest).validate(body)
    response = send_body(json.dumps(body))
    assert response.error == (401, "TOKEN_REFUSED", [])
    assert exchange(harness.provider.token(), body["sessionName"]).status == 200


# Deletion


@pytest.fixture
def meeting(harness: MeetingHarness) -> MeetingId:
    """A meeting of Ann."""
    meeting = MeetingId(user_of(harness, "ann"), new_id())
    harness.upload_recording(b"a", meeting=meeting)
    return meeting


def test_a_deleted_meeting_is_a_tombstone_at_once_and_its_data_is_removed_twice(
    harness: MeetingHarness, meeting: MeetingId
) -> None:
    queued: list[tuple[str, int]] = []

    def record_messages(params: dict[str, Any], **_: Any) -> None:
        queued.append((params["MessageBody"], params["DelaySeconds"]))

    body = DeletedMeeting(user=meeting.user, meeting_id=meeting.meeting_id).model_dump_json(by_alias=True)
    for number in (1, 2):  # a second deletion has the same result
        with at_event(harness.clients["sqs"], "provide-client-params.sqs.SendMessage", record_messages):
            response = delete(meeting.meeting_id, f"Bearer {harness.provider.token(sub='ann')}")
        assert (response.status, response.text) == (204, "")
        record = harness.record(meeting)
        assert (record.status, record.title, record.started_at) == (MeetingStatus.DELETED, "", None)
        assert queued == [(body, 5), (body, 900)] * number


def test_another_users_meeting_is_a_404_like_one_that_does_not_exist(
    harness: MeetingHarness, meeting: MeetingId
) -> None:
    for meeting_id in (new_id(), meeting.meeting_id):
        response = delete(meeting_id, f"Bearer {harness.provider.token(sub='bob')}")
        assert response.error == (404, "MEETING_UNKNOWN", [])
    assert harness.state(meeting) == ("processing", "media")


def test_a_deletion_without_a_valid_token_is_a_401(harness: MeetingHarness, meeting: MeetingId) -> None:
    token_without_scheme = harness.provider.token(sub="ann")
    for authorization in (None, "", "Bearer", "Bearer x", "Basic YTpi", token_without_scheme):
        response = delete(meeting.meeting_id, authorization)
        assert response.error == (401, "TOKEN_REFUSED", []), authorization
    assert harness.state(meeting) == ("processing", "media")


def test_an_invalid_meeting_id_is_a_400(harness: MeetingHarness) -> None:
    assert delete("../x", f"Bearer {harness.provider.token()}").error == (400, "MALFORMED", ["meetingId"])


def test_a_deletion_whose_messages_cannot_be_sent_changes_nothing(harness: MeetingHarness, meeting: MeetingId) -> None:
    """The client gets an error and deletes the meeting again."""
    harness.clients["sqs"].delete_queue(QueueUrl=harness.queue_url)
    response = delete(meeting.meeting_id, f"Bearer {harness.provider.token(sub='ann')}")
    assert response.error == (500, "INTERNAL", [])
    assert harness.state(meeting) == ("processing", "media")


# STS


def test_a_failed_call_of_sts_is_a_503_if_it_may_be_repeated_and_otherwise_a_500_without_details(
    harness: MeetingHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    for error, status, code in (
        (client_error("Throttling"), 503, "UNAVAILABLE"),
        (ReadTimeoutError(endpoint_url=CANARY), 503, "UNAVAILABLE"),
        (client_error("AccessDenied"), 500, "INTERNAL"),
    ):
        with harness.fail_calls("sts", "AssumeRole", error):
            response = exchange(harness.provider.token())
        assert response.error == (status, code, [])
        assert "canary" not in response.text + capsys.readouterr().out


# Secrets


def test_secrets_are_not_in_any_representation(harness: MeetingHarness) -> None:
    request = ExchangeRequest(token=CANARY, session_name=CANARY)
    body = exchange(harness.provider.token()).body
    text = repr((request, ExchangeResponse.model_validate(body)))
    for secret in (CANARY, body["accessKeyId"], body["secretAccessKey"], body["sessionToken"]):
        assert secret not in text


def test_no_log_level_shows_tokens_credentials_or_session_names(
    harness: MeetingHarness, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    provider, session_name = harness.provider, f"{CANARY}name"
    tokens = [provider.token(sub=CANARY), *(create_token(provider) for create_token, _ in REFUSED_TOKENS.values())]
    responses = [exchange(token, session_name) for token in tokens] + [exchange(tokens[0], "!")]
    send_body(f'{{"token": "{CANARY}", "sessionName": 5}}')
    send_body(CANARY)
    provider.rotate("third")
    exchange(provider.token(sub=CANARY), session_name)
    assert responses[0].status == 200
    credentials = [responses[0].body[field] for field in ("accessKeyId", "secretAccessKey", "sessionToken", "user")]
    token_parts = [part for token in tokens for part in token.split(".") if len(part) > 20]
    output = capsys.readouterr()
    logs = output.out + output.err + caplog.text
    assert "caller_refused" in logs
    for secret in [CANARY, *credentials, *token_parts]:
        assert secret not in logs
