"""Cost table of the voice Q&A requirements, computed again with today's prices.

The requirements state "Total: ~$35/month (infrastructure only, excludes EC2)".
"""

from guardrails.pricing.requirements_cost_tables.cost_table import (
    CostTable,
    CostTableLine,
    Quantities,
    SettingSaving,
    get_assumption,
)

MESSAGES = 1_000_000
"""WebSocket messages a month."""
QUERIES = get_assumption("voice_queries")
"""Questions a month."""
GB_SECONDS = QUERIES * get_assumption("voice_seconds_a_query") * 512 / 1024
"""GB-seconds a month of a function with 512 MB."""
DAYS_KEPT = 7
"""Days that questions and answers are kept."""
AUDIO_GB = QUERIES * (get_assumption("voice_query_mb") + get_assumption("voice_response_mb")) / 1024 * DAYS_KEPT / 30
"""GB of questions and answers that are stored at any time."""
RESPONSE_GB = QUERIES * get_assumption("voice_response_mb") / 1024
"""GB of spoken answers a month, which browsers download."""

FUNCTION: Quantities = (("lambda_gb_second_x86", GB_SECONDS), ("lambda_request", QUERIES * 4))
"""Usage of the functions a month, with four invocations for each question."""

COST_TABLE = CostTable(
    subsystem="voice-qa",
    title="Voice Q&A: one million messages",
    stated_total=35,
    lines=(
        CostTableLine(
            "API Gateway",
            stated_usd=5,
            quantities=(
                ("websocket_message", MESSAGES),
                ("websocket_connection_minute", get_assumption("voice_connection_minutes")),
            ),
            comparison="A million WebSocket messages cost $1. As REST requests they would cost $3.50.",
        ),
        CostTableLine(
            "Lambda",
            stated_usd=5,
            quantities=FUNCTION,
            comparison=(
                "The number of questions is assumed, and also that a function waits 10 seconds for the answer of the agent "
                "(the service that answers questions)."
            ),
        ),
        CostTableLine(
            "S3",
            stated_usd=10,
            quantities=(
                ("s3_storage", AUDIO_GB + get_assumption("voice_lecture_gb")),
                ("s3_put", QUERIES * 2),
                ("s3_get", QUERIES * 3),
            ),
            comparison=(
                "The sizes are assumed. Questions and answers are deleted after 7 days and cost little, so the $10 of the "
                "requirements would pay for 430 GB of lectures."
            ),
        ),
        CostTableLine(
            "DynamoDB",
            stated_usd=5,
            quantities=(
                ("dynamodb_write", QUERIES * get_assumption("voice_table_units")),
                ("dynamodb_read", QUERIES * get_assumption("voice_table_reads")),
            ),
            comparison="Today's on-demand prices are half of those of 2024.",
        ),
        CostTableLine(
            "Data transfer",
            stated_usd=10,
            quantities=(("data_transfer_out", RESPONSE_GB),),
            comparison=(
                "The sizes are assumed. The $10 of the requirements would pay for 111 GB. The 100 GB that AWS gives free "
                "of charge are not subtracted, like all free tiers."
            ),
        ),
    ),
    setting_savings=(
        SettingSaving(
            "processor architecture of functions",
            change="x86 → arm64",
            before=FUNCTION,
            after=(("lambda_gb_second_arm64", GB_SECONDS), ("lambda_request", QUERIES * 4)),
        ),
    ),
    remarks=(
        (
            "The requirements run the agent, which they call AgentCore, on an EC2 machine. The table omits this machine, "
            "and the models that the agent calls."
        ),
        (
            "Against cold starts, the requirements plan provisioned concurrency, and state that SnapStart is not available "
            "for Python 3.12. Today, SnapStart supports Python 3.12 and newer."
        ),
    ),
)
