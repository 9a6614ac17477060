"""Prices of calls to AWS services such as Transcribe and Bedrock.

Most of these services have no resource in the stack that could be priced. The usage is published for the calling
function, workflow or job instead. So the price rules of these three types read all measures (named quantities of
usage) of this module.
"""

from guardrails.pricing.price_rule import PricedMeasures, PricingInput, Quantities, describe_measures

CALLED_SERVICE_PRICES: PricedMeasures = {
    "transcribeMinutes": ("transcribe_batch_minute", "minutes of audio that Amazon Transcribe processes in batch jobs"),
    "transcribeStreamingMinutes": (
        "transcribe_streaming_minute",
        "minutes of audio that are streamed to Amazon Transcribe; at least 15 seconds are billed for a stream",
    ),
    "mediaConvertMinutes": ("mediaconvert_minute", "normalised minutes of MediaConvert output"),
    "sonnetInputTokens": (
        "bedrock_sonnet_input",
        "input tokens of Claude Sonnet with a `us.` inference profile, without cached tokens",
    ),
    "sonnetOutputTokens": ("bedrock_sonnet_output", "output tokens of Claude Sonnet with a `us.` inference profile"),
    "sonnetCacheReadTokens": (
        "bedrock_sonnet_cache_read",
        "input tokens that Claude Sonnet reads from the prompt cache",
    ),
    "sonnetCacheWriteTokens": (
        "bedrock_sonnet_cache_write",
        "input tokens that Claude Sonnet writes to the prompt cache",
    ),
    "sonnetGlobalInputTokens": (
        "bedrock_sonnet_global_input",
        "input tokens of Claude Sonnet with a `global.` inference profile",
    ),
    "sonnetGlobalOutputTokens": (
        "bedrock_sonnet_global_output",
        "output tokens of Claude Sonnet with a `global.` inference profile",
    ),
    "haikuInputTokens": (
        "bedrock_haiku_input",
        "input tokens of Claude Haiku with a `us.` inference profile, without cached tokens",
    ),
    "haikuOutputTokens": ("bedrock_haiku_output", "output tokens of Claude Haiku with a `us.` inference profile"),
    "haikuCacheReadTokens": ("bedrock_haiku_cache_read", "input tokens that Claude Haiku reads from the prompt cache"),
    "haikuCacheWriteTokens": ("bedrock_haiku_cache_write", "input tokens that Claude Haiku writes to the prompt cache"),
    "haikuGlobalInputTokens": (
        "bedrock_haiku_global_input",
        "input tokens of Claude Haiku with a `global.` inference profile",
    ),
    "haikuGlobalOutputTokens": (
        "bedrock_haiku_global_output",
        "output tokens of Claude Haiku with a `global.` inference profile",
    ),
    "customEvents": ("events_custom", "events sent to an event bus, in units of 64 KB"),
    "customMetrics": ("metric", "custom metrics: names times combinations of dimension values"),
    "metricRequests": ("metric_request", "calls that send metrics to CloudWatch"),
    "traces": ("trace", "traces that X-Ray stores, after sampling"),
    "notifications": ("sns_publish", "messages published to topics"),
    "secretCalls": ("secret_call", "reads of secrets from Secrets Manager"),
    "keyRequests": ("kms_request", "requests that use a KMS key"),
    "egressGb": ("data_transfer_out", "GB sent to the internet"),
}
CALLED_SERVICE_MEASURES = describe_measures(CALLED_SERVICE_PRICES)
"""The measures with their descriptions, for the rules of functions, workflows and jobs."""


def called_service_quantities(pricing: PricingInput) -> Quantities:
    """Yield the quantities of all called services."""
    for measure, (price, _) in CALLED_SERVICE_PRICES.items():
        yield price, pricing.amount(measure)
