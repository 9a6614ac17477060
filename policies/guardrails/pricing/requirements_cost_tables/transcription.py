"""Cost table of the transcription requirements ("Total: ~$6.40/month"), computed again with today's prices."""

from guardrails.pricing.requirements_cost_tables.cost_table import (
    DAYS,
    CostTable,
    CostTableLine,
    Quantities,
    SettingSaving,
    get_assumption,
    price_quantities,
)

CALLS = 1_000 * DAYS
"""Calls a month. Each call transcribes one utterance."""
SECONDS = 5
"""Length of an utterance, and duration of a call."""
GIGABYTES = 512 / 1024
"""Memory of the function."""
GB_SECONDS = CALLS * SECONDS * GIGABYTES
BILLED_SECONDS = 15
"""Minimum seconds that Amazon Transcribe bills for a stream."""
STREAMED_MINUTES = CALLS * max(SECONDS, BILLED_SECONDS) / 60
STREAMING_QUANTITIES: Quantities = (("transcribe_streaming_minute", STREAMED_MINUTES),)
"""Usage of Amazon Transcribe, which the requirements' table omits."""

FUNCTION: Quantities = (("lambda_gb_second_x86", GB_SECONDS), ("lambda_request", CALLS))
LOG_GB = get_assumption("transcription_log_gb")
"""Logs of one month. They are kept for 90 days, so three times as much is stored."""

COST_TABLE = CostTable(
    subsystem="transcription",
    title="Transcription: 512 MB, 5 seconds on average, 1,000 calls a day",
    stated_total=6.40,
    lines=(
        CostTableLine(
            "Lambda execution",
            stated_usd=2.00,
            quantities=FUNCTION,
            comparison="The requirements' figures give 75,000 GB-seconds, which cost $1.26 on x86. So the stated cost is wrong.",
        ),
        CostTableLine(
            "CloudWatch metrics",
            stated_usd=1.80,
            quantities=(("metric", 6),),
            comparison="Agrees for six metrics, the number in the requirements. But the requirements name only four metrics.",
        ),
        CostTableLine("CloudWatch alarms", stated_usd=0.60, quantities=(("alarm", 6),), comparison="Agrees."),
        CostTableLine(
            "CloudWatch logs",
            stated_usd=2.00,
            quantities=(("logs_ingested", LOG_GB), ("logs_stored", LOG_GB * 3)),
            comparison="The volume is assumed. $2 pays for 3.4 GB, more than 100 KB for each call.",
        ),
    ),
    setting_savings=(
        SettingSaving(
            "processor architecture of functions",
            change="x86 → arm64",
            before=FUNCTION,
            after=(("lambda_gb_second_arm64", GB_SECONDS), ("lambda_request", CALLS)),
        ),
        SettingSaving(
            "foundation.logs.retentionDays",
            change="90 → 30 days",
            before=(("logs_stored", LOG_GB * 3),),
            after=(("logs_stored", LOG_GB),),
        ),
    ),
    remarks=(
        (
            "Two of the six alarms use metrics that Lambda provides free of charge. So four custom "
            "metrics ($1.20) are enough."
        ),
        (
            f"The table omits Amazon Transcribe. {CALLS / DAYS:,.0f} streams a day, each billed for at least "
            f"{BILLED_SECONDS} seconds, are {STREAMED_MINUTES:,.0f} minutes a month. They cost "
            f"${price_quantities(STREAMING_QUANTITIES):,.2f}, more than all lines of the table together."
        ),
    ),
)
