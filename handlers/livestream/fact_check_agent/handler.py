"""Lambda function `fact-check-agent`: lets a Bedrock model check the claims in a transcript and suggest clips.

The function itself calls the model, so it is not an agent of Amazon Bedrock. A transcript is divided into windows,
which are sections small enough for one model request. A queue delivers one message for each window. The findings of a
window are fact claims, each with a verdict and its sources, and clips. A clip is only a title with a start and an end
time; nothing is cut from the video.
"""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

import boto3
from botocore.config import Config

from handlers.common import ids
from handlers.common.aws import CONFIG, LambdaContext
from handlers.common.bedrock import BedrockModel, build_client_config
from handlers.common.logging import EventLog
from handlers.livestream.fact_check_agent.agent_memory import AgentMemory
from handlers.livestream.fact_check_agent.environment import AgentEnvironment
from handlers.livestream.fact_check_agent.model_request import RequestSettings
from handlers.livestream.fact_check_agent.transcript_window_analysis import AgentServices, WindowWorker
from handlers.livestream.findings_table import FindingsTable
from handlers.livestream.s3_object_reader import ObjectReader

MEMORY_CONFIG = CONFIG.merge(Config(retries={"mode": "standard", "total_max_attempts": 1}))
"""One attempt per call, because `WindowWorker` itself retries as long as there is time."""


@cache
def _worker() -> WindowWorker:
    environment = AgentEnvironment.read()
    # Both clients are untyped, because the agent uses only three of their operations (ListEvents, CreateEvent and
    # Converse), and the project does not install type stubs for so few.
    memory: Any = boto3.client("bedrock-agentcore", config=MEMORY_CONFIG)
    bedrock: Any = boto3.client("bedrock-runtime", config=build_client_config(environment.answer_seconds))
    services = AgentServices(
        transcripts=ObjectReader(boto3.client("s3", config=CONFIG), environment.bucket_name),
        memory=AgentMemory(memory, environment.memory_id, ids.now),
        model=BedrockModel(bedrock, environment.model_id),
        findings=FindingsTable(boto3.client("dynamodb", config=CONFIG), environment.table_name, ids.now),
    )
    return WindowWorker(services, request_settings(environment), EventLog(environment.log_level))


def request_settings(environment: AgentEnvironment) -> RequestSettings:
    return RequestSettings(
        max_tokens=environment.max_output_tokens,
        clip_min_ms=environment.clip_min_seconds * 1000,
        clip_max_ms=environment.clip_max_seconds * 1000,
        answer_seconds=environment.answer_seconds,
    )


def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, list[dict[str, str]]]:
    return _worker().handle_batch(event, context.get_remaining_time_in_millis)


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _worker()  # created during initialization, before the first message waits for it
