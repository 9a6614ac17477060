"""End-to-end tests of the logins: livestream and transcription accept only valid tokens, each of its own user."""

import pytest
from websockets.exceptions import InvalidStatus

from local.flows import identity
from local.flows.http_requests import Answer, ask
from local.flows.transcription_client import Speaker
from local.flows.websocket_client import connect_to_api
from tests.end_to_end.backends import DeployedLivestream, DeployedTranscription
from tests.end_to_end.platform_under_test import Platform

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("platform")]
PROTOCOL = "polyphony.transcription.v2"
UNREACHABLE_KEYS = "http://127.0.0.1:9/keys"
"""URL on the port `discard`, where no server listens."""
PROVIDER_DOWN = "The identity provider does not respond. Try again."


def handshake_status(transcription: DeployedTranscription, *protocols: str) -> int:
    """Return the status of a refused handshake."""
    with pytest.raises(InvalidStatus) as error:
        connect_to_api(transcription.url, protocols)
    return error.value.response.status_code


def status_and_code(answer: Answer) -> tuple[int, str]:
    """Return status and code of an error, and check the parts that every error has."""
    assert set(answer.body) == {"code", "message", "fields", "requestId"}
    assert (answer.body["fields"], bool(answer.body["requestId"])) == ([], True)
    assert answer.headers["access-control-allow-origin"] == "*"
    return answer.status, answer.body["code"]


def test_an_episode_belongs_to_the_user_of_the_token(platform: Platform, livestream: DeployedLivestream) -> None:
    episode = livestream.create_episode("private")["episodeId"]
    bob_token = identity.request_token(platform.outputs["frontend"], "bob")
    assert livestream.ask("GET", f"/episodes/{episode}").status == 200
    assert livestream.ask("GET", f"/episodes/{episode}", token=bob_token).status == 404
    listed = livestream.ask("GET", "/episodes", token=bob_token).body["episodes"]
    assert episode not in [item["episodeId"] for item in listed]


def test_a_session_belongs_to_the_connection_of_the_token_in_the_subprotocol(
    platform: Platform, transcription: DeployedTranscription
) -> None:
    bob_token = transcription.stack.token("bob")
    with (
        Speaker(transcription, user="ann") as ann,
        Speaker(transcription, protocols=(f"bearer.{bob_token}", PROTOCOL)) as bob,
    ):
        assert (ann.protocol, bob.protocol) == (PROTOCOL, PROTOCOL), "the token is not returned"
        ann.open()
        assert ann.ask("ping")["type"] == "pong"
        assert bob.send_audio("u1", bytes(32_000))["code"] == "NO_SESSION"
    lines = platform.log_lines("transcription-router")
    assert not [line for line in lines if bob_token.rpartition(".")[2] in line or "bearer." in line]


def test_callers_without_a_valid_token_are_refused(
    platform: Platform, livestream: DeployedLivestream, transcription: DeployedTranscription
) -> None:
    expired_token = identity.request_token(platform.outputs["frontend"], "ann", seconds=-600)
    unauthorized = (401, "UNAUTHORIZED")
    assert status_and_code(ask("GET", f"{livestream.url}/episodes")) == unauthorized
    assert status_and_code(livestream.ask("GET", "/episodes", token=expired_token)) == unauthorized
    for protocols in [(PROTOCOL,), (PROTOCOL, f"bearer.{expired_token}")]:
        assert handshake_status(transcription, *protocols) == 401
    assert any("UNAUTHENTICATED" in line for line in platform.log_lines("transcription-router"))


def test_livestream_answers_503_if_the_identity_provider_is_down(
    platform: Platform, livestream: DeployedLivestream
) -> None:
    token = identity.request_token(platform.outputs["frontend"], "carol")  # a new user, so that no result is cached
    with platform.changed_variables("livestream-authorizer", JWKS_URL=UNREACHABLE_KEYS):
        answer = livestream.ask("GET", "/episodes", token=token)
        assert status_and_code(answer) == (503, "UNAVAILABLE")
        assert answer.body["message"] == PROVIDER_DOWN
    assert livestream.ask("GET", "/episodes", token=token).status == 200, "a failed check is not cached"
