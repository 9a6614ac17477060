"""Component of the lake: the bucket with the Parquet files, and the resources with which Athena reads them.

The location of the catalogue table contains no Parquet files but pointers: text files that name the Parquet files of a
complete run (Hive's symlink input format). So a query never reads the output of an incomplete run. The table is
partitioned by date with partition projection, so no partition needs to be registered.
"""

import base64
import json
from dataclasses import dataclass

import pulumi
from pulumi_aws import athena, glue

from components.blocks.compute.handler_archive import ROOT
from components.blocks.naming.physical_names import Kind
from components.blocks.naming.subsystem_scope import Scope
from components.blocks.storage.bucket import Bucket, BucketArgs, LifecycleRule
from components.settings import IngestionSettings
from components.settings.spark_ddl import PARTITION, SYSTEM_COLUMNS, CatalogColumn, parse_columns, parse_data_columns

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
FIRST_DAY = "2024-01-01"
"""First date of the catalogue's partitions."""

NEWEST_VIEW_SQL = ROOT / "handlers" / "ingestion" / "glue" / "newest.sql"
"""Query of the view `newest`. A test runs the same file on Spark."""


@dataclass(frozen=True)
class LakeArgs:
    scope: Scope
    settings: IngestionSettings


class Lake(pulumi.ComponentResource):
    """Lake bucket, Glue catalogue and Athena workgroup."""

    def __init__(self, name: str, args: LakeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("polyphony:ingestion:Lake", name, None, opts)
        scope, settings = args.scope, args.settings
        self._child = pulumi.ResourceOptions(parent=self)
        self.bucket = Bucket(
            "lake",
            BucketArgs(
                scope=scope,
                display_name="LakeBucket",
                lifecycle=[
                    LifecycleRule("tier-data", f"{DATA}/", intelligent_tiering_days=0),
                    LifecycleRule("expire-lists", f"{MANIFESTS}/", MANIFEST_DAYS),
                    LifecycleRule("expire-rejected", f"{REJECTED}/", REJECTED_DAYS),
                    LifecycleRule("expire-queries", f"{QUERIES}/", QUERY_RESULT_DAYS),
                ],
            ),
            self._child,
        )
        self.uri = f"s3://{self.bucket.name}"
        """URI of the bucket, without a slash at the end."""
        self.database = f"{scope.context.stack_label}-{scope.subsystem}".replace("-", "_")
        database = glue.CatalogDatabase(
            "ingestion-lake-database",
            name=self.database,
            description="Rows of the ingested files",
            tags=scope.tags("LakeDatabase"),
            opts=self._child,
        )
        self._create_table(database, args)
        self._create_view(database, args)
        athena.Workgroup(
            "ingestion-lake-workgroup",
            name=scope.name(Kind.WORKGROUP, "lake"),
            force_destroy=not scope.foundation.data.deletion_protection,
            configuration={
                "enforce_workgroup_configuration": True,
                "publish_cloudwatch_metrics_enabled": True,
                "bytes_scanned_cutoff_per_query": int(settings.scan_limit_gigabytes * GIGABYTE),
                "result_configuration": {
                    "output_location": f"{self.uri}/{QUERIES}/",
                    "encryption_configuration": {"encryption_option": "SSE_S3"},
                },
            },
            tags=scope.tags("LakeWorkgroup"),
            opts=self._child,
        )
        self.register_outputs({"bucket": self.bucket.name, "database": self.database})

    def _create_table(self, database: glue.CatalogDatabase, args: LakeArgs) -> None:
        glue.CatalogTable(
            "ingestion-lake-table",
            database_name=database.name,
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
                "storage.location.template": f"{self.uri}/{POINTERS}/dt=${{dt}}/",
            },
            storage_descriptor={
                "location": f"{self.uri}/{POINTERS}/",
                "input_format": "org.apache.hadoop.hive.ql.io.SymlinkTextInputFormat",
                "output_format": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
                "ser_de_info": {"serialization_library": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"},
                "columns": [
                    {"name": column.name, "type": column.type.hive}
                    for column in catalog_columns(args.settings.spark.schema_ddl)
                ],
            },
            opts=self._child,
        )

    def _create_view(self, database: glue.CatalogDatabase, args: LakeArgs) -> None:
        columns = [*catalog_columns(args.settings.spark.schema_ddl), *parse_columns(f"{PARTITION} STRING")]
        sql = NEWEST_VIEW_SQL.read_text(encoding="utf-8").replace("${table}", "rows")
        view = {
            "originalSql": sql,
            "catalog": "awsdatacatalog",
            "schema": self.database,
            "columns": [{"name": column.name, "type": column.type.presto} for column in columns],
        }
        glue.CatalogTable(
            "ingestion-lake-view",
            database_name=database.name,
            name="newest",
            description="Rows of the newest version of each file",
            table_type="VIRTUAL_VIEW",
            parameters={"presto_view": "true"},
            view_original_text=f"/* Presto View: {base64.b64encode(json.dumps(view).encode()).decode()} */",
            view_expanded_text="/* Presto View */",
            storage_descriptor={
                # Athena does not use this value, but writes it for each view that it creates itself.
                "ser_de_info": {"name": "-", "serialization_library": "-"},
                "columns": [{"name": column.name, "type": column.type.hive} for column in columns],
            },
            opts=self._child,
        )


def catalog_columns(schema_ddl: str) -> list[CatalogColumn]:
    """Return the columns of the catalogue table: those of the settings' schema, and those that the job adds."""
    return [
        *parse_data_columns(schema_ddl),
        *parse_columns(", ".join(f"{name} {kind}" for name, kind in SYSTEM_COLUMNS)),
    ]
