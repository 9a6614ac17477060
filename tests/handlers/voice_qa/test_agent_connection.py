"""An agent behind TLS."""

import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from handlers.voice_qa.agent import AgentCode
from handlers.voice_qa.agent_answer import Limits, Timing
from handlers.voice_qa.agent_http import HttpAgent
from tests.handlers.voice_qa.agent_peers import (
    HELLO,
    QUESTION,
    SHORT,
    Clock,
    failure,
    received,
)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Of 127.0.0.1, by nobody whom anybody trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "certificate.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + made.public_bytes(pem))
    return path


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
                received(wrapped)
                SHORT(wrapped)
        except OSError:
            return

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"https://localhost:{listener.getsockname()[1]}"
    thread.join(20)
    listener.close()


def test_a_certificate_that_nobody_knows_is_refused(secure: str, clock: Clock) -> None:
    assert failure(secure, clock).code is AgentCode.REFUSED
    assert clock.waits == []


def test_an_answer_comes_through_tls(secure: str, certificate: Path, clock: Clock) -> None:
    trusting = ssl.create_default_context(cafile=certificate)
    timing = Timing(clock.now, clock.wait, lambda: clock.share)
    with HttpAgent(secure, Limits(), timing, trusting).answer(QUESTION) as found:
        assert list(found) == HELLO
