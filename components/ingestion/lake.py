"""Lake: the bucket with the Parquet files, and the resources with which Athena reads them.

The location of the catalogue table contains no Parquet files but pointers: text files that name the Parquet files of a
complete run (Hive's symlink input format). So a query never reads the output of an incomplete run. The table is
partitioned by date with partition projection, so no partition needs to be registered. `ingestion.py` creates the bucket
and the catalogue.
"""

import base64
import json
import re
from collections.abc import Mapping

import pulumi
from pulumi_aws import athena, glue

from components.blocks.bucket import Bucket, lifecycle_rule
from components.core import Kind, Scope
from components.handler_archive import ROOT
from components.settings import IngestionSettings
from handlers.ingestion.glue.lake_columns import ADDED_COLUMNS

POINTERS, DATA, REJECTED, MANIFESTS = "pointers", "data", "rejected", "manifests"
"""Folders of the lake bucket for pointers, Parquet files, rejected lines (lines that are not JSON records), and
manifests. A manifest is the list of the files for one run of Spark."""
SCRIPTS, QUERIES = "scripts", "queries"
"""Folders of the lake bucket for the code of the Spark job, and for query results."""
GIGABYTE = 1024**3
"""Bytes of a gigabyte in the limit of a query, which counts in powers of two."""
MANIFEST_DAYS = 90
"""Days after which manifests expire."""
REJECTED_DAYS = 365
"""Days after which rejected lines expire."""
QUERY_RESULT_DAYS = 7
"""Days after which query results expire."""
PARTITION = "dt"
"""Partition column of the table: the date."""
ATHENA_NAMES = {"string": "varchar", "int": "integer", "struct": "row"}
"""Names of the types that Athena's views name differently, by Hive's name."""
FIRST_DAY = "2024-01-01"
"""First date of the catalogue's partitions."""
NEWEST_VIEW_SQL = ROOT / "handlers" / "ingestion" / "glue" / "newest.sql"
"""Query of the view `newest`. A test runs the same file on Spark."""


def create_lake_bucket(scope: Scope) -> Bucket:
    return Bucket(
        scope,
        "lake",
        display_name="LakeBucket",
        lifecycle=[
            lifecycle_rule("tier-data", f"{DATA}/", intelligent_tiering_days=0),
            lifecycle_rule("expire-lists", f"{MANIFESTS}/", MANIFEST_DAYS),
            lifecycle_rule("expire-rejected", f"{REJECTED}/", REJECTED_DAYS),
            lifecycle_rule("expire-queries", f"{QUERIES}/", QUERY_RESULT_DAYS),
        ],
    )


def create_catalog(scope: Scope, settings: IngestionSettings, bucket: Bucket) -> None:
    """Create the database with its table and view, and the workgroup for queries."""
    uri = f"s3://{bucket.name}"
    name = f"{scope.context.stack_label}-{scope.subsystem}".replace("-", "_")
    database = glue.CatalogDatabase(
        "ingestion-lake-database",
        name=name,
        description="Rows of the ingested files",
        tags=scope.tags("LakeDatabase"),
        opts=scope.options(),
    )
    # Names are in lower case, because Athena ignores case. The job adds columns with the origin of each row.
    columns = {column.lower(): kind.lower() for column, kind in settings.spark.columns.items()} | ADDED_COLUMNS
    _create_table(scope, database.name, uri, columns)
    _create_view(scope, database.name, name, columns | {PARTITION: "string"})
    athena.Workgroup(
        "ingestion-lake-workgroup",
        name=scope.name(Kind.WORKGROUP, "lake"),
        force_destroy=not scope.foundation.data.deletion_protection,
        configuration={
            "enforce_workgroup_configuration": True,
            "publish_cloudwatch_metrics_enabled": True,
            "bytes_scanned_cutoff_per_query": int(settings.scan_limit_gigabytes * GIGABYTE),
            "result_configuration": {
                "output_location": f"{uri}/{QUERIES}/",
                "encryption_configuration": {"encryption_option": "SSE_S3"},
            },
        },
        tags=scope.tags("LakeWorkgroup"),
        opts=scope.options(),
    )


def _create_table(scope: Scope, database: pulumi.Output[str], uri: str, columns: Mapping[str, str]) -> None:
    glue.CatalogTable(
        "ingestion-lake-table",
        database_name=database,
        name="rows",
        description="Rows of all ingested file versions. The view `newest` has only the newest version of each file.",
        table_type="EXTERNAL_TABLE",
        partition_keys=[{"name": PARTITION, "type": "string"}],
        parameters={
            "EXTERNAL": "TRUE",
            "projection.enabled": "true",
            "projection.dt.type": "date",
            "projection.dt.format": "yyyy-MM-dd",
            "projection.dt.range": f"{FIRST_DAY},NOW",
            "storage.location.template": f"{uri}/{POINTERS}/dt=${{dt}}/",
        },
        storage_descriptor={
            "location": f"{uri}/{POINTERS}/",
            "input_format": "org.apache.hadoop.hive.ql.io.SymlinkTextInputFormat",
            "output_format": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
            "ser_de_info": {"serialization_library": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"},
            "columns": [{"name": column, "type": kind} for column, kind in columns.items()],
        },
        opts=scope.options(),
    )


def _create_view(scope: Scope, database: pulumi.Output[str], schema: str, columns: Mapping[str, str]) -> None:
    """Create the view in the form in which Athena stores its views: JSON in Base64. `schema` is the database's name."""
    view = {
        "originalSql": NEWEST_VIEW_SQL.read_text(encoding="utf-8").replace("${table}", "rows"),
        "catalog": "awsdatacatalog",
        "schema": schema,
        "columns": [{"name": column, "type": to_athena_type(kind)} for column, kind in columns.items()],
    }
    glue.CatalogTable(
        "ingestion-lake-view",
        database_name=database,
        name="newest",
        description="Rows of the newest version of each file",
        table_type="VIRTUAL_VIEW",
        parameters={"presto_view": "true"},
        view_original_text=f"/* Presto View: {base64.b64encode(json.dumps(view).encode()).decode()} */",
        view_expanded_text="/* Presto View */",
        storage_descriptor={
            # Athena does not use this value, but writes it for each view that it creates itself.
            "ser_de_info": {"name": "-", "serialization_library": "-"},
            "columns": [{"name": column, "type": kind} for column, kind in columns.items()],
        },
        opts=scope.options(),
    )


def to_athena_type(hive_type: str) -> str:
    """Return the name of a type in Athena's views, for example `row("a" varchar)` for `struct<a:string>`."""

    def rename(word: re.Match[str]) -> str:
        name, is_field = word.groups()
        return f'"{name}" ' if is_field else ATHENA_NAMES.get(name, name)

    return re.sub(r"(\w+)(:?)", rename, hive_type).translate(str.maketrans("<>", "()"))
