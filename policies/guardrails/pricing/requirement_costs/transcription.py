"""shared/requirements/transcription.md: "Total: ~$6.40/month" of additional cost."""

from guardrails.pricing.requirement_costs.cost_table import (
    DAYS,
    CostTable,
    CostTableLine,
    Quantities,
    SettingSaving,
    get_assumption,
)

CALLS = 1_000 * DAYS
SECONDS = 5
GIGABYTES = 512 / 1024
GB_SECONDS = CALLS * SECONDS * GIGABYTES
BILLED_SECONDS = 15
"""What Amazon Transcribe bills of a stream at least."""
STREAMED_MINUTES = CALLS * max(SECONDS, BILLED_SECONDS) / 60

FUNCTION: Quantities = (("lambda_gb_second_x86", GB_SECONDS), ("lambda_request", CALLS))
LOG_GB = get_assumption("transcription_log_gb")

COST_TABLE = CostTable(
    subsystem="transcription",
    title="Transcription: 512 MB, 5 seconds on average, 1,000 calls a day",
    stated_total=6.40,
    lines=(
        CostTableLine(
            "Lambda execution",
            2.00,
            FUNCTION,
            "Its own figures give 75,000 GB-seconds, which is $1.26 on x86: its arithmetic does not hold.",
        ),
        CostTableLine("CloudWatch metrics", 1.80, (("metric", 6),), "Agrees, by its count of six; it names four."),
        CostTableLine("CloudWatch alarms", 0.60, (("alarm", 6),), "Agrees."),
        CostTableLine(
            "CloudWatch logs",
            2.00,
            (("logs_ingested", LOG_GB), ("logs_stored", LOG_GB * 3)),
            "Volume is assumed; $2 is 3.4 GB, more than 100 KB a call.",
        ),
    ),
    setting_savings=(
        SettingSaving(
            "the function block's arm64",
            "x86 → arm64",
            FUNCTION,
            (("lambda_gb_second_arm64", GB_SECONDS), ("lambda_request", CALLS)),
        ),
        SettingSaving(
            "foundation.logs.retentionDays", "90 → 30 days", (("logs_stored", LOG_GB * 3),), (("logs_stored", LOG_GB),)
        ),
    ),
    remarks=(
        "Two of its six alarms are on metrics that Lambda makes for nothing: four custom metrics, $1.20, would do.",
        (
            f"It leaves out Transcribe itself: {STREAMED_MINUTES:,.0f} streamed minutes a month, at the "
            f"{BILLED_SECONDS} seconds that a stream is billed at least, cost more than everything it lists."
        ),
    ),
)
STREAMING_QUANTITIES: Quantities = (("transcribe_streaming_minute", STREAMED_MINUTES),)
"""What the document leaves out."""
