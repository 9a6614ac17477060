"""An agent that runs in Bedrock AgentCore Runtime: the same question and the same lines, by `InvokeAgentRuntime`.

It decides how that operation is called and what its errors mean; a test holds the request to the one that boto3 makes.
boto3 itself is not used to call it: its body reader fills a buffer of a kilobyte before it gives a line, so that words
would come late, and its time limits begin again with each byte.
"""

import logging
import re
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import quote, urlencode

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from handlers.common.aws.retry import Timing
from handlers.voice_qa.query_worker.agent.agent_protocol import ACCEPTED, CONTENT_TYPE, request_body
from handlers.voice_qa.query_worker.agent.agent_types import AgentCode, AgentQuestion
from handlers.voice_qa.query_worker.agent.http_client import AgentAddress
from handlers.voice_qa.query_worker.agent.http_connection import HttpRequest
from handlers.voice_qa.query_worker.agent.streamed_answer import (
    AnswerLimits,
    ResponseVerdict,
    StreamedAnswer,
    start_answer,
)

SERVICE = "bedrock-agentcore"
SESSION_HEADER = "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id"
QUALIFIER = "DEFAULT"
"""The endpoint that every runtime has."""
_ARN = re.compile(r"arn:(?P<partition>aws[a-z-]*):bedrock-agentcore:(?P<region>[a-z0-9-]+):[0-9]{12}:runtime/[\w-]+")
_SUFFIXES = {"aws-cn": "amazonaws.com.cn"}
_VERDICTS: Mapping[int, ResponseVerdict] = {
    # ServiceQuotaExceededException: too many sessions at once.
    HTTPStatus.PAYMENT_REQUIRED: ResponseVerdict(AgentCode.THROTTLED, passes=True),
    # ThrottlingException
    HTTPStatus.TOO_MANY_REQUESTS: ResponseVerdict(AgentCode.THROTTLED, passes=True),
    # AccessDeniedException, and whatever is wrong with the signature
    HTTPStatus.FORBIDDEN: ResponseVerdict(AgentCode.REFUSED),
    # ResourceNotFoundException
    HTTPStatus.NOT_FOUND: ResponseVerdict(AgentCode.REFUSED),
    # RetryableConflictException: the session is being begun or ended.
    HTTPStatus.CONFLICT: ResponseVerdict(AgentCode.UNAVAILABLE, passes=True),
    # RuntimeClientError: the agent itself failed.
    HTTPStatus.FAILED_DEPENDENCY: ResponseVerdict(AgentCode.FAILED),
    # InternalServerException, and what stands before the service
    HTTPStatus.INTERNAL_SERVER_ERROR: ResponseVerdict(AgentCode.FAILED, passes=True),
    HTTPStatus.BAD_GATEWAY: ResponseVerdict(AgentCode.UNAVAILABLE, passes=True),
    HTTPStatus.SERVICE_UNAVAILABLE: ResponseVerdict(AgentCode.UNAVAILABLE, passes=True),
    HTTPStatus.GATEWAY_TIMEOUT: ResponseVerdict(AgentCode.UNAVAILABLE, passes=True),
}

# At DEBUG it writes what it signs, session token and all, and the signature.
logging.getLogger("botocore.auth").setLevel(logging.INFO)


class BedrockAgent:
    """Asks a runtime."""

    def __init__(
        self,
        runtime_arn: str,
        credentials: Credentials,
        limits: AnswerLimits,
        timing: Timing | None = None,
        *,
        qualifier: str = QUALIFIER,
        endpoint: str | None = None,
    ) -> None:
        """`endpoint` is the origin of another AgentCore than that of the runtime's region."""
        arn = _ARN.fullmatch(runtime_arn)
        if arn is None:
            raise ValueError("a runtime is named by its ARN")
        self._region = arn["region"]
        suffix = _SUFFIXES.get(arn["partition"], "amazonaws.com")
        self._origin = (endpoint or f"https://{SERVICE}.{self._region}.{suffix}").rstrip("/")
        self._address = AgentAddress.of(self._origin)
        self._target = f"/runtimes/{quote(runtime_arn, safe='')}/invocations?{urlencode({'qualifier': qualifier})}"
        self._credentials = credentials
        self._limits = limits
        self._timing = timing or Timing()

    def answer(self, question: AgentQuestion) -> StreamedAnswer:
        """Asks, and waits until the answer begins; raises AgentFailed if it does not."""
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
        # Frozen: credentials that are renewed between two of its reads would mix old and new.
        SigV4Auth(self._credentials.get_frozen_credentials(), SERVICE, self._region).add_auth(signed)
        address = self._address
        sent = {**signed.headers, "Host": address.authority}
        return HttpRequest(address.host, address.port, address.tls, self._target, sent, body)
