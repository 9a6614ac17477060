"""Client of an agent in Bedrock AgentCore Runtime, which it calls with `InvokeAgentRuntime`.

`agent_protocol` defines the body of the request and the lines of the answer. This module signs the request and maps the
error statuses of the operation to failure codes.

The module does not use boto3 for two reasons. The body reader of boto3 fills a buffer of one kilobyte before it returns
a line, which would delay the words of an answer. And its timeouts start again with each byte, so they would not limit
the time of a slow answer.
"""

import logging
import re
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import quote, urlencode

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from handlers.voice_qa.query_worker.agent.agent_call import (
    AnswerLimits,
    ResponseVerdict,
    RetryTiming,
    StreamedAnswer,
    start_answer,
)
from handlers.voice_qa.query_worker.agent.agent_protocol import ACCEPTED, CONTENT_TYPE, request_body
from handlers.voice_qa.query_worker.agent.agent_types import AgentCode, AgentQuestion
from handlers.voice_qa.query_worker.agent.http_connection import AgentAddress, HttpRequest

SERVICE = "bedrock-agentcore"
SESSION_HEADER = "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id"
QUALIFIER = "DEFAULT"
"""Name of the endpoint that AgentCore creates for every runtime."""
_ARN = re.compile(r"arn:(?P<partition>aws[a-z-]*):bedrock-agentcore:(?P<region>[a-z0-9-]+):[0-9]{12}:runtime/[\w-]+")
_SUFFIXES = {"aws-cn": "amazonaws.com.cn"}
"""Domains of the AWS partitions whose domain is not amazonaws.com."""
# `agent_call` knows the meaning of statuses that are not in this table.
_VERDICTS: Mapping[int, ResponseVerdict] = {
    # ServiceQuotaExceededException: too many sessions at once.
    HTTPStatus.PAYMENT_REQUIRED: ResponseVerdict(AgentCode.THROTTLED, retryable=True),
    # ThrottlingException
    HTTPStatus.TOO_MANY_REQUESTS: ResponseVerdict(AgentCode.THROTTLED, retryable=True),
    # AccessDeniedException, and invalid signatures
    HTTPStatus.FORBIDDEN: ResponseVerdict(AgentCode.NO_ACCESS),
    # ResourceNotFoundException
    HTTPStatus.NOT_FOUND: ResponseVerdict(AgentCode.NO_ACCESS),
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


class AgentCoreAgent:
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
        """`endpoint` replaces the URL of AgentCore in the runtime's region."""
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
        # A refresh of the credentials between two reads would mix old and new values, so a frozen copy is used.
        SigV4Auth(self._credentials.get_frozen_credentials(), SERVICE, self._region).add_auth(signed)
        sent = {**signed.headers, "Host": self._address.authority}
        return HttpRequest(self._address, self._target, sent, body)
