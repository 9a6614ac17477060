"""Cost table of the ingestion requirements ("Current Monthly Cost: ~$270/month"), computed again with today's
prices.
"""

from guardrails.pricing.requirements_cost_tables.cost_table import (
    DAYS,
    CostTable,
    CostTableLine,
    Quantities,
    SettingSaving,
    get_assumption,
)

FILES = 8_000 * DAYS
"""Files a month."""
RUNS = 40 * DAYS
"""Glue runs a month."""
STORED_GB = 840
"""Size of the files of one month."""
BATCHES = FILES / get_assumption("ingestion_messages_a_batch")
"""Function calls a month. Each call handles one batch of messages, and each message announces one file."""
GB_SECONDS = BATCHES * get_assumption("ingestion_seconds_a_batch") * get_assumption("ingestion_builder_mb") / 1024
"""GB-seconds a month of the function that handles the batches."""
RUN_HOURS = RUNS * get_assumption("ingestion_glue_minutes") / 60
"""Duration of all Glue runs of a month."""
DPU_HOURS = RUN_HOURS * get_assumption("ingestion_glue_workers")
"""DPU hours a month with the number of workers that Glue proposes. A worker has one DPU."""
FEWER_DPU_HOURS = RUN_HOURS * get_assumption("ingestion_glue_fewer_workers")
"""DPU hours a month with this program's default number of workers."""
TIERED_GB = 2 * STORED_GB
"""Data that Intelligent-Tiering has moved to its infrequent tier, which happens 30 days after the last access. In a
lake with the data of three months, this is the data of two months."""

FUNCTION: Quantities = (("lambda_gb_second_x86", GB_SECONDS), ("lambda_request", BATCHES))
GLUE: Quantities = (("glue_dpu_hour", DPU_HOURS),)
LAKE: Quantities = (("s3_storage", 3 * STORED_GB),)
"""Storage of the data of three months."""

COST_TABLE = CostTable(
    subsystem="ingestion",
    title="Ingestion: 8,000 files a day of 3.5 MB, 40 Glue jobs a day of 3 to 5 minutes",
    stated_total=270,
    lines=(
        CostTableLine(
            "Lambda",
            stated_usd=5,
            quantities=FUNCTION,
            comparison="Memory, batch size and duration of a call are assumed, because the requirements give none.",
        ),
        CostTableLine(
            "Glue (40 jobs/day)",
            stated_usd=220,
            quantities=GLUE,
            comparison=(
                "The number of workers is assumed. $220 buys 500 DPU hours: 1,200 runs of 5 minutes with 5 workers. "
                "Glue proposes 10 workers."
            ),
        ),
        CostTableLine(
            "DynamoDB",
            stated_usd=10,
            quantities=(
                ("dynamodb_write", FILES * get_assumption("ingestion_writes_a_file")),
                ("dynamodb_read", FILES * get_assumption("ingestion_reads_a_file")),
                ("dynamodb_storage", FILES * get_assumption("ingestion_record_kb") / 1024**2),
            ),
            comparison="On-demand prices were halved in November 2024. Even before, four writes a file cost less than $2.",
        ),
        CostTableLine(
            "S3 storage (840 GB)",
            stated_usd=20,
            quantities=(("s3_storage", STORED_GB * get_assumption("ingestion_landing_months")),),
            comparison=(
                "The data of one month. The requirements mention '~10 TB/year': without expiry the twelfth "
                "month costs twelve times as much."
            ),
        ),
        CostTableLine(
            "S3 requests",
            stated_usd=5,
            quantities=(("s3_put", FILES + RUNS * get_assumption("ingestion_parquet_files_a_run")), ("s3_get", FILES)),
            comparison=(
                "$5 pays for a million PUTs, about four for each file. The computed cost is for one PUT and one GET of each "
                "file, and for the PUTs of the Parquet files."
            ),
        ),
        CostTableLine(
            "Step Functions",
            stated_usd=1,
            quantities=(("states_transition", RUNS * get_assumption("ingestion_transitions_a_run")),),
            comparison="The number of transitions is assumed. $1 pays for 33 in each run.",
        ),
        CostTableLine(
            "CloudWatch Logs",
            stated_usd=5,
            quantities=(
                ("logs_ingested", get_assumption("ingestion_log_gb")),
                ("logs_stored", get_assumption("ingestion_log_gb") * 3),
            ),
            comparison=(
                "The volume is assumed, with 90 days of retention. $5 pays for 9 GB, which is the volume of logs with "
                "whole events. The requirements ask to stop that."
            ),
        ),
    ),
    setting_savings=(
        SettingSaving(
            "processor architecture of functions",
            change="x86 → arm64",
            before=FUNCTION,
            after=(("lambda_gb_second_arm64", GB_SECONDS), ("lambda_request", BATCHES)),
        ),
        SettingSaving(
            "ingestion.spark.workers",
            change="10 → 2 G.1X workers",
            before=GLUE,
            after=(("glue_dpu_hour", FEWER_DPU_HOURS),),
            remark=(
                "Two workers are the default. They are enough for a manifest, the list of files of one run "
                "(docs/benchmarks.md). The duration is assumed to stay the same."
            ),
        ),
        SettingSaving(
            "ingestion.spark.executionClass",
            change="STANDARD → FLEX",
            before=GLUE,
            after=(("glue_flex_dpu_hour", DPU_HOURS),),
            remark=(
                "Runs may start some minutes later. If the number of workers was already reduced, FLEX saves the same "
                "share of the remaining cost."
            ),
        ),
        SettingSaving(
            "Intelligent-Tiering of the lake",
            change="off → on, with the data of three months, two of them not read",
            before=LAKE,
            after=(
                ("s3_storage", 3 * STORED_GB - TIERED_GB),
                ("s3_infrequent_storage", TIERED_GB),
                ("s3_tiering_monitoring", 3 * RUNS * get_assumption("ingestion_parquet_files_a_run")),
            ),
            remark="Saves nothing in the first month, because objects move only after 30 days without access.",
        ),
        SettingSaving(
            "ingestion.intake.landingDays",
            change="90 → 30 days",
            before=(("s3_storage", 3 * STORED_GB),),
            after=(("s3_storage", STORED_GB),),
            remark="Applies to the landing bucket. The lake keeps the content.",
        ),
    ),
    remarks=(
        "The requirements' lines in this table add up to $266. The requirements round their total to ~$270.",
        (
            "The requirements state $220 as the sum of their three savings ($75, $165 and $8), but the sum is $248. "
            "The $75 (Flex) and the $165 (G.025X workers) cannot be combined, because both are parts of the Glue "
            "line, which happens to be $220 too."
        ),
        (
            "The saving by G.025X workers does not exist. They run streaming jobs only, so an ETL job "
            "on them does not start."
        ),
        (
            "Intelligent-Tiering does not save 40 % of the storage cost. The infrequent tier is 46 % "
            "cheaper, but only for objects that were not read for 30 days."
        ),
    ),
)
