"""Addresses of agents, the external services that answer questions, and an HTTP connection to an agent with TLS."""

import ssl
from pathlib import Path

import pytest

from handlers.voice_qa.query_worker.agent.agent_call import AnswerLimits
from handlers.voice_qa.query_worker.agent.agent_types import AgentCode
from handlers.voice_qa.query_worker.agent.http_agent_client import HttpAgent
from handlers.voice_qa.query_worker.agent.http_connection import AgentAddress
from tests.handlers.certificates import write_self_signed_certificate
from tests.handlers.voice_qa.query_worker.agent.agent_servers import (
    QUESTION,
    SHORT_ANSWER,
    SHORT_ANSWER_PIECES,
    Clock,
    agent_failure,
    run_server,
)


@pytest.mark.parametrize("trusted", [True, False])
def test_only_an_agent_with_a_trusted_certificate_gets_a_question(tmp_path: Path, clock: Clock, trusted: bool) -> None:
    certificate = write_self_signed_certificate(tmp_path)
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(certificate)
    with run_server(SHORT_ANSWER, context=server_context) as server:
        endpoint = f"https://localhost:{server.port}"
        if trusted:
            client_context = ssl.create_default_context(cafile=certificate)
            with HttpAgent(endpoint, AnswerLimits(), clock.timing, client_context).answer(QUESTION) as pieces:
                assert list(pieces) == SHORT_ANSWER_PIECES
        else:
            assert agent_failure(endpoint, clock).code is AgentCode.NO_ACCESS
            assert clock.waits == []


@pytest.mark.parametrize(
    "endpoint",
    [
        *("", "agent", "ftp://agent", "http://", "http://user:word@agent", "http://agent?query", "http://agent#part"),
        *("http://agent:port", "http://agent/a b", "http://agent/\r\nX: y"),
        *("http://8.8.8.8", "http://[2001:4860:4860::8888]/"),
    ],
)
def test_an_invalid_endpoint_is_refused(endpoint: str) -> None:
    with pytest.raises(ValueError, match=r"endpoint|address|[Pp]ort"):
        AgentAddress.from_endpoint(endpoint)


@pytest.mark.parametrize(
    ("endpoint", "authority"),
    [
        ("http://10.20.0.7:5000", "10.20.0.7:5000"),
        ("http://agent.internal", "agent.internal"),
        ("http://agent:80/base", "agent"),
        ("https://agent.example/", "agent.example"),
        ("https://8.8.8.8:443", "8.8.8.8"),
        ("http://[::1]:5000", "[::1]:5000"),
    ],
)
def test_an_endpoint_determines_the_host_header_and_tls(endpoint: str, authority: str) -> None:
    address = AgentAddress.from_endpoint(endpoint)
    assert address.authority == authority
    assert (address.tls is None) is endpoint.startswith("http:")
