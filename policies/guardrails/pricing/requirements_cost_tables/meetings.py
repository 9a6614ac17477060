"""Cost table of the meetings requirements, computed again with today's prices.

The requirements plan four phases of changes. In dollars a month, they state 55.69 at first, 39.19 after phase 2, 27.19
after phase 3 and 26.69 after phase 4. They give totals and savings, but no number of meetings.
"""

from guardrails.pricing.requirements_cost_tables.cost_table import (
    CostTable,
    CostTableLine,
    PromisedSaving,
    Quantities,
    SettingSaving,
    get_assumption,
)

HOURS = get_assumption("meetings_count") * get_assumption("meetings_hours_each")
"""Hours of meetings in a month."""
STORED_HOURS = HOURS * get_assumption("meetings_months_kept")
"""Hours of meetings whose files are stored."""
RAW_GB = STORED_HOURS * get_assumption("meetings_raw_gb_an_hour")
AUDIO_GB = STORED_HOURS * get_assumption("meetings_audio_gb_an_hour")
VIDEO_GB = STORED_HOURS * get_assumption("meetings_video_gb_an_hour")
SHARE_OF_ONE_MONTH = 1 / get_assumption("meetings_months_kept")
"""Share of the newest month in the stored data."""
WEEK_OF_MONTH = 7 / 30
"""Share of a month for which raw chunks are kept. Raw chunks are the files of a recording, before they are joined to
one video.
"""
JOB_HOURS = HOURS * get_assumption("meetings_job_hours_an_hour")
"""Hours of all encoding jobs, if each has 2 vCPU."""
SPOT_JOB_HOURS = 2 * JOB_HOURS
"""Hours of all encoding jobs, if each has 1 vCPU. They then take twice as long, because a job uses all its processors."""
INPUT = get_assumption("meetings_count") * get_assumption("meetings_input_tokens")
"""Tokens a month that models read."""
OUTPUT = get_assumption("meetings_count") * get_assumption("meetings_output_tokens")
"""Tokens a month that models write."""
EXTRACTION_SHARE = get_assumption("meetings_extraction_share")
"""Share of the tokens for the extraction of action items. The other tokens are for the summary."""
FIXED_PROMPT_TOKENS = INPUT * get_assumption("meetings_fixed_prompt_share")
"""Tokens of the part that all prompts have in common. Models can read this part from the prompt cache."""
WRITES = get_assumption("meetings_count") * get_assumption("meetings_table_writes")
"""Writes to the table. DynamoDB also writes each item to every index, and bills that as another write."""
INDEXES_BEFORE = 3
"""Indexes of the table before phase 2."""
INDEXES_AFTER = 1
"""Indexes of the table after phase 2."""
CALLS = get_assumption("meetings_count") * get_assumption("meetings_calls")
"""Lambda calls a month."""

STORAGE: Quantities = (("s3_storage", RAW_GB + AUDIO_GB + VIDEO_GB),)
"""Storage if nothing expires."""
EXPIRING: Quantities = (
    (
        "s3_storage",
        RAW_GB * SHARE_OF_ONE_MONTH * WEEK_OF_MONTH + AUDIO_GB * SHARE_OF_ONE_MONTH + VIDEO_GB * SHARE_OF_ONE_MONTH,
    ),
    ("s3_infrequent_storage", VIDEO_GB * (1 - SHARE_OF_ONE_MONTH)),
)
"""Storage if raw chunks expire after a week and audio after a month, and videos move to the infrequent tier."""
FARGATE_X86: Quantities = (("fargate_vcpu_hour_x86", 2 * JOB_HOURS), ("fargate_gb_hour_x86", 4 * JOB_HOURS))
"""The machine in the requirements: 2 vCPU and 4 GB."""
FARGATE_ARM64: Quantities = (("fargate_vcpu_hour_arm64", 2 * JOB_HOURS), ("fargate_gb_hour_arm64", 4 * JOB_HOURS))
"""The machine of the setting `fargate`: the size in the requirements, but arm64, because the job's image is built for
arm64.
"""
SPOT: Quantities = (
    ("fargate_spot_vcpu_hour_arm64", SPOT_JOB_HOURS),
    ("fargate_spot_gb_hour_arm64", 2 * SPOT_JOB_HOURS),
)
"""The machine of the setting `batch-spot`: 1 vCPU and 2 GB."""
REQUIRED_SONNET: Quantities = (("bedrock_sonnet_4_5_input", INPUT), ("bedrock_sonnet_4_5_output", OUTPUT))
"""Claude Sonnet 4.5 for all requests, as the requirements say."""
REQUIRED_SONNET_AND_HAIKU: Quantities = (
    ("bedrock_sonnet_4_5_input", INPUT * (1 - EXTRACTION_SHARE)),
    ("bedrock_sonnet_4_5_output", OUTPUT * (1 - EXTRACTION_SHARE)),
    ("bedrock_haiku_4_5_input", INPUT * EXTRACTION_SHARE),
    ("bedrock_haiku_4_5_output", OUTPUT * EXTRACTION_SHARE),
)
"""Claude Haiku 4.5 for the extraction of action items, Claude Sonnet 4.5 for the other requests."""
SONNET: Quantities = (("bedrock_sonnet_input", INPUT), ("bedrock_sonnet_output", OUTPUT))
"""Claude Sonnet 5.5, the setting's default, for all requests."""
SONNET_AND_HAIKU: Quantities = (
    ("bedrock_sonnet_input", INPUT * (1 - EXTRACTION_SHARE)),
    ("bedrock_sonnet_output", OUTPUT * (1 - EXTRACTION_SHARE)),
    ("bedrock_haiku_input", INPUT * EXTRACTION_SHARE),
    ("bedrock_haiku_output", OUTPUT * EXTRACTION_SHARE),
)
"""Claude Haiku 5.5 for the extraction of action items, Claude Sonnet 5.5 for the other requests."""
CACHED: Quantities = (
    ("bedrock_sonnet_input", INPUT - FIXED_PROMPT_TOKENS),
    ("bedrock_sonnet_cache_read", FIXED_PROMPT_TOKENS),
    ("bedrock_sonnet_output", OUTPUT),
)
"""Claude Sonnet 5.5 with the fixed part of each prompt read from the cache."""
KEY: Quantities = (("kms_key", 1), ("kms_request", get_assumption("meetings_key_requests")))
"""A customer-managed KMS key."""
NAT_GATEWAY: Quantities = (("nat_gb", get_assumption("meetings_nat_gb")),)
"""Traffic through a NAT gateway. The assumption is 0 GB, because there is no NAT gateway."""

COST_TABLE = CostTable(
    subsystem="meetings",
    title="Meetings: $55.69 before, $26.69 after all four phases",
    stated_total=55.69,
    lines=(
        CostTableLine(
            "everything, before phase 1",
            stated_usd=55.69,
            quantities=(
                *STORAGE,
                *FARGATE_X86,
                ("transcribe_batch_minute", HOURS * 60),
                *REQUIRED_SONNET,
                *KEY,
                ("dynamodb_write", (1 + INDEXES_BEFORE) * WRITES),
                ("lambda_gb_second_x86", CALLS * get_assumption("meetings_call_gb_seconds")),
                ("lambda_request", CALLS),
            ),
            comparison=(
                "The requirements give no volume. Number, sizes and durations of meetings are assumed, so "
                "only the savings can be compared."
            ),
        ),
    ),
    promised_savings=(
        PromisedSaving(
            "S3 lifecycle (phase 2)",
            stated_usd=6.50,
            before=STORAGE,
            after=EXPIRING,
            comparison=(
                "Raw chunks 7 days, audio 30 days, video to Intelligent-Tiering. The saving grows with "
                "every month of stored meetings."
            ),
        ),
        PromisedSaving(
            "AWS-managed KMS key (phase 2)",
            stated_usd=2.00,
            before=KEY,
            after=(),
            comparison="A key costs $1 and its requests cost cents, so only two keys would cost $2.",
        ),
        PromisedSaving(
            "two indexes fewer (phase 2)",
            stated_usd=2.00,
            before=(("dynamodb_write", INDEXES_BEFORE * WRITES),),
            after=(("dynamodb_write", INDEXES_AFTER * WRITES),),
            comparison="The writes of a single user cost cents at today's prices. $2 pays for 3.2 million index writes.",
        ),
        PromisedSaving(
            "Claude Haiku 4.5 for action items (phase 2)",
            stated_usd=6.00,
            before=REQUIRED_SONNET,
            after=REQUIRED_SONNET_AND_HAIKU,
            comparison=(
                "Compares the models of the requirements, Sonnet 4.5 and Haiku 4.5. Haiku costs a third of "
                "Sonnet, which saves 67 %, not 80 %. The stated $6.00 is 80 % of $7.50, and 67 % of $7.50 is $5.00."
            ),
        ),
        PromisedSaving(
            "Batch with Spot (phase 3)",
            stated_usd=12.00,
            before=FARGATE_X86,
            after=SPOT,
            comparison=(
                "Half the processors take twice as long. The stated $0.12 an hour for 2 vCPU and 4 GB is "
                "$0.099 today, and the stated $0.025 for 1 vCPU and 2 GB on Spot is $0.013."
            ),
        ),
        PromisedSaving(
            "VPC endpoints (phase 4)",
            stated_usd=0.50,
            before=NAT_GATEWAY,
            after=(),
            comparison=(
                "Gateway endpoints are free. Access to S3 in the same region was free before, too, because "
                "there is no NAT gateway. So nothing is saved."
            ),
        ),
    ),
    setting_savings=(
        SettingSaving("meetings.processing.engine", change="fargate → batch-spot", before=FARGATE_ARM64, after=SPOT),
        SettingSaving(
            "lifecycle of the recordings bucket",
            change="no expiry → raw chunks 7 days, audio 30 days, video to Intelligent-Tiering",
            before=STORAGE,
            after=EXPIRING,
        ),
        SettingSaving(
            "meetings.models.actionItems",
            change="Sonnet 5.5 → Haiku 5.5",
            before=SONNET,
            after=SONNET_AND_HAIKU,
            remark="Allowed only after both models agree sufficiently on ten transcripts (`operations/compare_models.py`).",
        ),
        SettingSaving(
            "prompt caching for the summary",
            change="off → on",
            before=SONNET,
            after=CACHED,
            remark="With Sonnet 5.5. The computed cost contains reads of the cache, but not the write every five minutes.",
        ),
        SettingSaving("meetings.tableKmsKey", change="customer key → AWS-owned key", before=KEY, after=()),
    ),
    remarks=(
        (
            "The requirements' own sums are correct: 55.69 less 16.50 (phase 2) is 39.19, less 12.00 (phase 3) is 27.19, "
            "less 0.50 (phase 4) is 26.69. This is 52 % less than at the start."
        ),
        (
            "Phase 3 reduces the price of one job hour by 80 % ($0.12 → $0.025). But the job then has half the "
            "processors, so encoding takes twice as many hours. At the stated prices, a job costs 58 % less, not 80 %."
        ),
    ),
)
