"""shared/requirements/voice-qa.md: "Total: ~$35/month (infrastructure only, excludes EC2)"."""

from guardrails.pricing.requirement_costs.cost_table import Document, Position, Quantities, Saving, assumed

MESSAGES = 1_000_000
QUERIES = assumed("voice_queries")
GB_SECONDS = QUERIES * assumed("voice_seconds_a_query") * 512 / 1024
DAYS_KEPT = 7
AUDIO_GB = QUERIES * (assumed("voice_query_mb") + assumed("voice_response_mb")) / 1024 * DAYS_KEPT / 30
RESPONSE_GB = QUERIES * assumed("voice_response_mb") / 1024

FUNCTION: Quantities = (("lambda_gb_second_x86", GB_SECONDS), ("lambda_request", QUERIES * 4))

DOCUMENT = Document(
    subsystem="voice-qa",
    title="Voice Q&A: one million messages",
    total=35,
    positions=(
        Position(
            "API Gateway",
            5,
            (("websocket_message", MESSAGES), ("websocket_connection_minute", assumed("voice_connection_minutes"))),
            "A million WebSocket messages cost $1; even as REST requests they would cost $3.50.",
        ),
        Position(
            "Lambda", 5, FUNCTION, "Queries and their time are assumed; 10 seconds each, while the handler waits."
        ),
        Position(
            "S3",
            10,
            (("s3_storage", AUDIO_GB + assumed("voice_lecture_gb")), ("s3_put", QUERIES * 2), ("s3_get", QUERIES * 3)),
            "Sizes are assumed; with 7 days' lifecycle $10 would be 430 GB of lectures.",
        ),
        Position(
            "DynamoDB",
            5,
            (
                ("dynamodb_write", QUERIES * assumed("voice_table_units")),
                ("dynamodb_read", QUERIES * assumed("voice_table_reads")),
            ),
            "Today's on-demand prices are half of those of 2024.",
        ),
        Position(
            "Data transfer",
            10,
            (("data_transfer_out", RESPONSE_GB),),
            "Sizes are assumed; $10 is 111 GB. AWS' free 100 GB are left out here, as all free tiers are.",
        ),
    ),
    savings=(
        Saving(
            "the function block's arm64",
            "x86 → arm64",
            FUNCTION,
            (("lambda_gb_second_arm64", GB_SECONDS), ("lambda_request", QUERIES * 4)),
        ),
    ),
    remarks=(
        "It leaves out the EC2 machine that AgentCore runs on, and every model.",
        "SnapStart exists for Python 3.12 and newer, so provisioned concurrency is not the only way to a quick start.",
    ),
)
