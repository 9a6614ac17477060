"""Client of an agent in Bedrock AgentCore Runtime, which it calls with `InvokeAgentRuntime`.

`agent_protocol` defines the body of the request and the lines of the answer. This module signs the request and maps the
errors of the operation. A test compares the request with boto3's.

The module does not use boto3 itself for two reasons. boto3's body reader fills a buffer of one kilobyte before it
returns a line, which would delay words. Its timeouts start again with each byte.
"""

import logging
import re
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import quote, urlencode

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from handlers.common.aws.retry import RetryTiming
from handlers.voice_qa.query_worker.agent.agent_call import (
    AnswerLimits,
    ResponseVerdict,
    StreamedAnswer,
    start_answer,
)
from handlers.voice_qa.query_worker.agent.agent_protocol import ACCEPTED, CONTENT_TYPE, request_body
from handlers.voice_qa.query_worker.agent.agent_types import AgentCode, AgentQuestion
from handlers.voice_qa.query_worker.agent.http_connection import AgentAddress, HttpRequest

SERVICE = "bedrock-agentcore"
SESSION_HEADER = "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id"
QUALIFIER = "DEFAULT"
"""Name of the endpoint that every runtime has."""
_ARN = re.compile(r"arn:(?P<partition>aws[a-z-]*):bedrock-agentcore:(?P<region>[a-z0-9-]+):[0-9]{12}:runtime/[\w-]+")
_SUFFIXES = {"aws-cn": "amazonaws.com.cn"}
"""Domains of AWS by partition, where it is not amazonaws.com."""
# `agent_call` judges the statuses that are not listed.
_VERDICTS: Mapping[int, ResponseVerdict] = {
    # ServiceQuotaExceededException: too many sessions at once.
    HTTPStatus.PAYMENT_REQUIRED: ResponseVerdict(AgentCode.THROTTLED, retryable=True),
    # ThrottlingException
    HTTPStatus.TOO_MANY_REQUESTS: ResponseVerdict(AgentCode.THROTTLED, retryable=True),
    # AccessDeniedException, and invalid signatures
    HTTPStatus.FORBIDDEN: ResponseVerdict(AgentCode.REFUSED),
    # ResourceNotFoundException
    HTTPStatus.NOT_FOUND: ResponseVerdict(AgentCode.REFUSED),
    # RetryableConflictException: the session is being started or ended.
    HTTPStatus.CONFLICT: ResponseVerdict(AgentCode.UNAVAILABLE, retryable=True),
    # RuntimeClientError: the agent itself failed.
    HTTPStatus.FAILED_DEPENDENCY: ResponseVerdict(AgentCode.FAILED),
    # InternalServerException, and errors of the load balancer in front of the service
    HTTPStatus.INTERNAL_SERVER_ERROR: ResponseVerdict(AgentCode.FAILED, retryable=True),
    HTTPStatus.BAD_GATEWAY: ResponseVerdict(AgentCode.UNAVAILABLE, retryable=True),
    HTTPStatus.SERVICE_UNAVAILABLE: ResponseVerdict(AgentCode.UNAVAILABLE, retryable=True),
    HTTPStatus.GATEWAY_TIMEOUT: ResponseVerdict(AgentCode.UNAVAILABLE, retryable=True),
}

# At level DEBUG, botocore logs the signed request, including the session token and the signature.
logging.getLogger("botocore.auth").setLevel(logging.INFO)


class BedrockAgent:
    """Sends questions to a runtime."""

    def __init__(
        self,
        runtime_arn: str,
        credentials: Credentials,
        limits: AnswerLimits,
        timing: RetryTiming | None = None,
        *,
        qualifier: str = QUALIFIER,
        endpoint: str | None = None,
    ) -> None:
        """Initialise the client. `endpoint` replaces the AgentCore endpoint of the runtime's region."""
        arn = _ARN.fullmatch(runtime_arn)
        if arn is None:
            raise ValueError("agentcore_runtime_arn is not the ARN of an AgentCore runtime")
        self._region = arn["region"]
        suffix = _SUFFIXES.get(arn["partition"], "amazonaws.com")
        self._origin = (endpoint or f"https://{SERVICE}.{self._region}.{suffix}").rstrip("/")
        self._address = AgentAddress.from_endpoint(self._origin)
        self._target = f"/runtimes/{quote(runtime_arn, safe='')}/invocations?{urlencode({'qualifier': qualifier})}"
        self._credentials = credentials
        self._limits = limits
        self._timing = timing or RetryTiming()

    def answer(self, question: AgentQuestion) -> StreamedAnswer:
        """Send the question and return the answer once it has started. Raises AgentFailed."""
        body = request_body(question)
        return start_answer(
            lambda: self._request(question.session_id, body),
            _VERDICTS,
            question.lecture.duration_ms,
            self._limits,
            self._timing,
        )

    def _request(self, session_id: str, body: bytes) -> HttpRequest:
        headers = {"Content-Type": CONTENT_TYPE, "Accept": ACCEPTED, SESSION_HEADER: session_id}
        signed = AWSRequest("POST", self._origin + self._target, headers, body)
        # Frozen, because credentials that are refreshed between two reads would mix old and new values.
        SigV4Auth(self._credentials.get_frozen_credentials(), SERVICE, self._region).add_auth(signed)
        address = self._address
        sent = {**signed.headers, "Host": address.authority}
        return HttpRequest(address.host, address.port, address.tls, self._target, sent, body)
