"""Services that have no resource of their own in the stack: who calls them publishes how often.

A function, a workflow or a job may call any of them; its block's usage has the measures.
"""

from guardrails.pricing.price_rule import PricedMeasures, PricingInput, Quantities, describe_measures

CALLED: PricedMeasures = {
    "transcribeMinutes": ("transcribe_batch_minute", "minutes that Amazon Transcribe works on as batch jobs"),
    "transcribeStreamingMinutes": (
        "transcribe_streaming_minute",
        "minutes that are streamed to Amazon Transcribe; a stream is billed for 15 seconds at least",
    ),
    "mediaConvertMinutes": ("mediaconvert_minute", "normalised minutes that MediaConvert puts out"),
    "sonnetInputTokens": (
        "bedrock_sonnet_input",
        "tokens given to Claude Sonnet by a us. profile, cached ones left out",
    ),
    "sonnetOutputTokens": ("bedrock_sonnet_output", "tokens that Claude Sonnet answers by a us. profile"),
    "sonnetCacheReadTokens": ("bedrock_sonnet_cache_read", "tokens given to Claude Sonnet from the prompt cache"),
    "sonnetCacheWriteTokens": ("bedrock_sonnet_cache_write", "tokens that Claude Sonnet's prompt cache takes in"),
    "sonnetGlobalInputTokens": ("bedrock_sonnet_global_input", "tokens given to Claude Sonnet by a global. profile"),
    "sonnetGlobalOutputTokens": (
        "bedrock_sonnet_global_output",
        "tokens that Claude Sonnet answers by a global. profile",
    ),
    "haikuInputTokens": ("bedrock_haiku_input", "tokens given to Claude Haiku by a us. profile, cached ones left out"),
    "haikuOutputTokens": ("bedrock_haiku_output", "tokens that Claude Haiku answers by a us. profile"),
    "haikuCacheReadTokens": ("bedrock_haiku_cache_read", "tokens given to Claude Haiku from the prompt cache"),
    "haikuCacheWriteTokens": ("bedrock_haiku_cache_write", "tokens that Claude Haiku's prompt cache takes in"),
    "haikuGlobalInputTokens": ("bedrock_haiku_global_input", "tokens given to Claude Haiku by a global. profile"),
    "haikuGlobalOutputTokens": ("bedrock_haiku_global_output", "tokens that Claude Haiku answers by a global. profile"),
    "customEvents": ("events_custom", "events put on a bus, in pieces of 64 KB"),
    "customMetrics": ("metric", "metrics of its own: names times the values of their dimensions"),
    "metricRequests": ("metric_request", "calls by which it tells CloudWatch metrics"),
    "traces": ("trace", "traces that X-Ray stores, after sampling"),
    "notifications": ("sns_publish", "messages that it publishes to topics"),
    "secretCalls": ("secret_call", "reads of Secrets Manager"),
    "keyRequests": ("kms_request", "uses of a KMS key"),
    "egressGb": ("data_transfer_out", "GB sent to the internet"),
}
MEASURES = describe_measures(CALLED)


def called(pricing: PricingInput) -> Quantities:
    """What it calls."""
    for measure, (price, _) in CALLED.items():
        yield price, pricing.amount(measure)
