"""HTTP connection to an agent with TLS."""

import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from handlers.common.aws.retry import RetryTiming
from handlers.voice_qa.query_worker.agent.agent_call import AnswerLimits
from handlers.voice_qa.query_worker.agent.agent_types import AgentCode
from handlers.voice_qa.query_worker.agent.http_agent_client import HttpAgent
from tests.handlers.certificates import self_signed
from tests.handlers.voice_qa.query_worker.agent.agent_servers import (
    HELLO,
    QUESTION,
    SHORT,
    Clock,
    failure,
    read_request,
)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return self_signed(tmp_path)


@pytest.fixture
def secure(certificate: Path) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        try:
            connection = listener.accept()[0]
            connection.settimeout(20)
            with connection, context.wrap_socket(connection, server_side=True) as wrapped:
                read_request(wrapped)
                SHORT(wrapped)
        except OSError:
            return

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"https://localhost:{listener.getsockname()[1]}"
    thread.join(20)
    listener.close()


def test_an_untrusted_certificate_is_refused(secure: str, clock: Clock) -> None:
    assert failure(secure, clock).code is AgentCode.REFUSED
    assert clock.waits == []


def test_an_answer_arrives_over_tls(secure: str, certificate: Path, clock: Clock) -> None:
    trusting = ssl.create_default_context(cafile=certificate)
    timing = RetryTiming(clock.now, clock.wait, lambda: clock.share)
    with HttpAgent(secure, AnswerLimits(), timing, trusting).answer(QUESTION) as found:
        assert list(found) == HELLO
