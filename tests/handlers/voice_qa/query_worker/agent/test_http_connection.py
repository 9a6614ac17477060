"""HTTP connection to an agent with TLS."""

import ssl
from pathlib import Path

import pytest

from handlers.common.aws.retry import RetryTiming
from handlers.voice_qa.query_worker.agent.agent_call import AnswerLimits
from handlers.voice_qa.query_worker.agent.agent_types import AgentCode
from handlers.voice_qa.query_worker.agent.http_agent_client import HttpAgent
from tests.handlers.certificates import self_signed
from tests.handlers.voice_qa.query_worker.agent.agent_servers import HELLO, QUESTION, SHORT, Clock, failure, peer


@pytest.mark.parametrize("trusted", [True, False])
def test_only_an_agent_with_a_trusted_certificate_is_asked(tmp_path: Path, clock: Clock, trusted: bool) -> None:
    certificate = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with peer(SHORT, context=context) as serving:
        endpoint = f"https://localhost:{serving.port}"
        if trusted:
            trusting = ssl.create_default_context(cafile=certificate)
            timing = RetryTiming(clock.now, clock.wait, lambda: clock.share)
            with HttpAgent(endpoint, AnswerLimits(), timing, trusting).answer(QUESTION) as found:
                assert list(found) == HELLO
        else:
            assert failure(endpoint, clock).code is AgentCode.REFUSED
            assert clock.waits == []
