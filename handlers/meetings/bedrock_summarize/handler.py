"""Lambda function that summarises a meeting. The workflow of the recording invokes it after the transcription."""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

import boto3
from pydantic import ValidationError

from handlers.common.aws import CONFIG, LambdaContext, ParallelCalls, RetryTiming
from handlers.common.bedrock import BedrockModel, build_client_config
from handlers.common.logging import EventLog
from handlers.meetings.bedrock_summarize.environment import SummaryEnvironment
from handlers.meetings.bedrock_summarize.model_requests import read_prompts
from handlers.meetings.bedrock_summarize.stored_answers import ModelAccess
from handlers.meetings.bedrock_summarize.summarizer import Summarizer, SummarySettings
from handlers.meetings.bedrock_summarize.workflow_event import SummaryRequest
from handlers.meetings.meeting_bucket import MeetingBucket
from handlers.meetings.metrics import MeetingMetrics
from handlers.meetings.summary_errors import EventMalformed


@cache
def _summarizer() -> Summarizer:
    environment = SummaryEnvironment.read()
    # Any, because the project does not install this service's type stubs for a single call.
    bedrock: Any = boto3.client("bedrock-runtime", config=build_client_config(environment.answer_seconds))
    log = EventLog(environment.log_level)
    models = {
        model_id: BedrockModel(bedrock, model_id)
        for model_id in (environment.summary_model_id, environment.action_model_id)
    }
    read_prompts()  # caches the prompts during the initialisation phase
    return Summarizer(
        MeetingBucket(boto3.client("s3", config=CONFIG), environment.bucket_name),
        MeetingMetrics(boto3.client("cloudwatch", config=CONFIG), environment.stack),
        ModelAccess(models, environment.answer_seconds, log, RetryTiming()),
        to_summary_settings(environment),
        ParallelCalls(environment.at_once),
        log,
    )


def to_summary_settings(environment: SummaryEnvironment) -> SummarySettings:
    """Return the settings of the summariser that the environment variables contain."""
    return SummarySettings(
        summary_model=environment.summary_model_id,
        action_model=environment.action_model_id,
        max_tokens=environment.max_output_tokens,
        window_characters=environment.part_characters,  # environment variables call a window a part
        overlap_characters=environment.overlap_characters,
    )


def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    request = _parse_request(event)
    result = _summarizer().summarize(request, context.get_remaining_time_in_millis())
    return result.model_dump(mode="json", by_alias=True)


def _parse_request(event: Mapping[str, Any]) -> SummaryRequest:
    try:
        return SummaryRequest.model_validate(event)
    except ValidationError:
        pass
    # Raised outside the except block, so that the exception does not refer to the event's data.
    raise EventMalformed("event_malformed")


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _summarizer()  # Lambda gives the initialisation more CPU than an invocation
