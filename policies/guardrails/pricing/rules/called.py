"""Services that have no resource of their own in the stack: who calls them publishes how often.

A function, a workflow or a job may call any of them; its block's usage has the measures.
"""

from guardrails.pricing.rule import Bill, Quantities

PRICES = {
    "transcribeMinutes": "transcribe_batch_minute",
    "transcribeStreamingMinutes": "transcribe_streaming_minute",
    "mediaConvertMinutes": "mediaconvert_minute",
    "sonnetInputTokens": "bedrock_sonnet_input",
    "sonnetOutputTokens": "bedrock_sonnet_output",
    "sonnetCacheReadTokens": "bedrock_sonnet_cache_read",
    "sonnetCacheWriteTokens": "bedrock_sonnet_cache_write",
    "sonnetGlobalInputTokens": "bedrock_sonnet_global_input",
    "sonnetGlobalOutputTokens": "bedrock_sonnet_global_output",
    "haikuInputTokens": "bedrock_haiku_input",
    "haikuOutputTokens": "bedrock_haiku_output",
    "haikuCacheReadTokens": "bedrock_haiku_cache_read",
    "haikuCacheWriteTokens": "bedrock_haiku_cache_write",
    "haikuGlobalInputTokens": "bedrock_haiku_global_input",
    "haikuGlobalOutputTokens": "bedrock_haiku_global_output",
    "customEvents": "events_custom",
    "customMetrics": "metric",
    "metricRequests": "metric_request",
    "traces": "trace",
    "notifications": "sns_publish",
    "secretCalls": "secret_call",
    "keyRequests": "kms_request",
    "egressGb": "data_transfer_out",
}
"""Measure → price."""

MEASURES = {
    "transcribeMinutes": "minutes that Amazon Transcribe works on as batch jobs",
    "transcribeStreamingMinutes": "minutes that are streamed to Amazon Transcribe; a stream is billed for 15 seconds at least",
    "mediaConvertMinutes": "normalised minutes that MediaConvert puts out",
    "sonnetInputTokens": "tokens given to Claude Sonnet by a us. profile, cached ones left out",
    "sonnetOutputTokens": "tokens that Claude Sonnet answers by a us. profile",
    "sonnetCacheReadTokens": "tokens given to Claude Sonnet from the prompt cache",
    "sonnetCacheWriteTokens": "tokens that Claude Sonnet's prompt cache takes in",
    "sonnetGlobalInputTokens": "tokens given to Claude Sonnet by a global. profile",
    "sonnetGlobalOutputTokens": "tokens that Claude Sonnet answers by a global. profile",
    "haikuInputTokens": "tokens given to Claude Haiku by a us. profile, cached ones left out",
    "haikuOutputTokens": "tokens that Claude Haiku answers by a us. profile",
    "haikuCacheReadTokens": "tokens given to Claude Haiku from the prompt cache",
    "haikuCacheWriteTokens": "tokens that Claude Haiku's prompt cache takes in",
    "haikuGlobalInputTokens": "tokens given to Claude Haiku by a global. profile",
    "haikuGlobalOutputTokens": "tokens that Claude Haiku answers by a global. profile",
    "customEvents": "events put on a bus, in pieces of 64 KB",
    "customMetrics": "metrics of its own: names times the values of their dimensions",
    "metricRequests": "calls by which it tells CloudWatch metrics",
    "traces": "traces that X-Ray stores, after sampling",
    "notifications": "messages that it publishes to topics",
    "secretCalls": "reads of Secrets Manager",
    "keyRequests": "uses of a KMS key",
    "egressGb": "GB sent to the internet",
}


def called(bill: Bill) -> Quantities:
    """What it calls."""
    for measure, price in PRICES.items():
        yield price, bill.of(measure)
