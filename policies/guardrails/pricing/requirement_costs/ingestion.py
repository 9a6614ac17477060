"""shared/requirements/ingestion.md: "Current Monthly Cost: ~$270/month"."""

from guardrails.pricing.requirement_costs.cost_table import (
    DAYS,
    CostTable,
    CostTableLine,
    Quantities,
    SettingSaving,
    get_assumption,
)

FILES = 8_000 * DAYS
RUNS = 40 * DAYS
STORED_GB = 840
BATCHES = FILES / get_assumption("ingestion_messages_a_batch")
GB_SECONDS = BATCHES * get_assumption("ingestion_seconds_a_batch") * get_assumption("ingestion_builder_mb") / 1024
RUN_HOURS = RUNS * get_assumption("ingestion_glue_minutes") / 60
DPU_HOURS = RUN_HOURS * get_assumption("ingestion_glue_workers")
FEWER_DPU_HOURS = RUN_HOURS * get_assumption("ingestion_glue_fewer_workers")
TIERED = STORED_GB * 2 / 3
"""A lake of three months at this intake has two thirds older than Intelligent-Tiering's 30 days."""

FUNCTION: Quantities = (("lambda_gb_second_x86", GB_SECONDS), ("lambda_request", BATCHES))
GLUE: Quantities = (("glue_dpu_hour", DPU_HOURS),)
LAKE: Quantities = (("s3_storage", 3 * STORED_GB),)

COST_TABLE = CostTable(
    subsystem="ingestion",
    title="Ingestion: 8,000 files a day of 3.5 MB, 40 Glue jobs a day of 3 to 5 minutes",
    stated_total=270,
    lines=(
        CostTableLine("Lambda", 5, FUNCTION, "Size, batch and time of a call are assumed; the document gives none."),
        CostTableLine(
            "Glue (40 jobs/day)",
            220,
            GLUE,
            "The number of workers is assumed. 220 is 100 hours of 5 DPU: 5 workers at the upper end of its 3 to 5 "
            "minutes; Glue proposes 10.",
        ),
        CostTableLine(
            "DynamoDB",
            10,
            (
                ("dynamodb_write", FILES * get_assumption("ingestion_writes_a_file")),
                ("dynamodb_read", FILES * get_assumption("ingestion_reads_a_file")),
                ("dynamodb_storage", FILES * get_assumption("ingestion_record_kb") / 1024**2),
            ),
            "On-demand prices were halved in November 2024; even before, four writes a file were below $2.",
        ),
        CostTableLine(
            "S3 storage (840 GB)",
            20,
            (("s3_storage", STORED_GB * get_assumption("ingestion_landing_months")),),
            "One month's intake. It says '~10 TB/year': without expiry the twelfth month costs twelve times as much.",
        ),
        CostTableLine(
            "S3 requests",
            5,
            (("s3_put", FILES + RUNS * get_assumption("ingestion_parquet_files_a_run")), ("s3_get", FILES)),
            "A million PUTs cost $5: four for each file. One PUT and one GET a file, and the Parquet files, are less.",
        ),
        CostTableLine(
            "Step Functions",
            1,
            (("states_transition", RUNS * get_assumption("ingestion_transitions_a_run")),),
            "Transitions are assumed; $1 is 33 a run.",
        ),
        CostTableLine(
            "CloudWatch Logs",
            5,
            (
                ("logs_ingested", get_assumption("ingestion_log_gb")),
                ("logs_stored", get_assumption("ingestion_log_gb") * 3),
            ),
            "Volume is assumed, kept 90 days; $5 is 9 GB, as with whole events logged (which it asks to stop).",
        ),
    ),
    setting_savings=(
        SettingSaving(
            "the function block's arm64",
            "x86 → arm64",
            FUNCTION,
            (("lambda_gb_second_arm64", GB_SECONDS), ("lambda_request", BATCHES)),
        ),
        SettingSaving(
            "ingestion.spark.workers",
            "10 → 2 G.1X workers",
            GLUE,
            (("glue_dpu_hour", FEWER_DPU_HOURS),),
            "The default. Two are enough for a manifest (docs/benchmarks.md); the time is taken as unchanged.",
        ),
        SettingSaving(
            "ingestion.spark.executionClass",
            "STANDARD → FLEX",
            GLUE,
            (("glue_flex_dpu_hour", DPU_HOURS),),
            "Where a batch may start minutes later. After the workers, it saves on what is left.",
        ),
        SettingSaving(
            "the lake's Intelligent-Tiering",
            "three months' lake, two of them seldom read",
            LAKE,
            (
                ("s3_storage", 3 * STORED_GB - 3 * TIERED),
                ("s3_infrequent_storage", 3 * TIERED),
                ("s3_tiering_monitoring", 3 * RUNS * get_assumption("ingestion_parquet_files_a_run")),
            ),
            "Saves nothing in the first month: objects move after 30 days without access.",
        ),
        SettingSaving(
            "ingestion.intake.landingDays",
            "90 → 30 days",
            (("s3_storage", 3 * STORED_GB),),
            (("s3_storage", STORED_GB),),
            "The landing bucket; the lake keeps the content.",
        ),
    ),
    remarks=(
        "Its lines add to 266, which it rounds to ~270.",
        (
            "Its savings (75 + 165 + 8) add to 248, not to 220; and 75 (Flex) and 165 (G.025X) are both shares of the same "
            "220, so they could not be had together."
        ),
        "G.025X workers run streaming jobs only: an ETL job on them does not start, so that saving does not exist.",
        (
            "40 % of storage is not Intelligent-Tiering's saving: the infrequent tier is 46 % cheaper, and only for what "
            "nobody has read for 30 days."
        ),
    ),
)
