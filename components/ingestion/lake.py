"""The lake: where Parquet, pointers and lists are kept, and how Athena reads it.

The catalogue's table reads pointers, not data: text files that name the Parquet files of complete runs (Hive's symlink
input format). Its partition is the date, projected, so nothing ever has to be registered.
"""

import base64
import json
from dataclasses import dataclass

import pulumi
from pulumi_aws import athena, glue

from components.blocks.compute.handler_archive import ROOT
from components.blocks.naming.physical_names import Kind
from components.blocks.naming.scope import Scope
from components.blocks.storage.bucket import Bucket, BucketArgs, Lifecycle
from components.settings import IngestionSettings
from components.settings.column_types import PARTITION, SYSTEM_COLUMNS, CatalogColumn, parse_columns, parse_data_columns

POINTERS, DATA, REJECTED, MANIFESTS = "pointers", "data", "rejected", "manifests"
SCRIPTS, QUERIES = "scripts", "queries"
GIGABYTE = 1024**3
MANIFEST_DAYS = 90
REJECTED_DAYS = 365
QUERY_RESULT_DAYS = 7
FIRST_DAY = "2024-01-01"
"""The first day that the catalogue's partitions reach back to."""

NEWEST = ROOT / "handlers" / "ingestion" / "glue" / "newest.sql"
"""The view's text: the very query that is tried on Spark."""


@dataclass(frozen=True)
class LakeArgs:
    """What the lake needs."""

    scope: Scope
    settings: IngestionSettings


class Lake(pulumi.ComponentResource):
    """Bucket, catalogue and workgroup."""

    def __init__(self, name: str, args: LakeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("polyphony:ingestion:Lake", name, None, opts)
        scope, settings = args.scope, args.settings
        self._child = pulumi.ResourceOptions(parent=self)
        self.bucket = Bucket(
            "lake",
            BucketArgs(
                scope=scope,
                logical_name="LakeBucket",
                lifecycle=[
                    Lifecycle("tier-data", f"{DATA}/", intelligent_tiering_days=0),
                    Lifecycle("expire-lists", f"{MANIFESTS}/", MANIFEST_DAYS),
                    Lifecycle("expire-rejected", f"{REJECTED}/", REJECTED_DAYS),
                    Lifecycle("expire-queries", f"{QUERIES}/", QUERY_RESULT_DAYS),
                ],
            ),
            self._child,
        )
        self.uri = f"s3://{self.bucket.name}"
        self.database = f"{scope.context.stack_label}-{scope.subsystem}".replace("-", "_")
        database = glue.CatalogDatabase(
            "ingestion-lake-database",
            name=self.database,
            description="Files taken in, as rows",
            tags=scope.tags("LakeDatabase"),
            opts=self._child,
        )
        self._table(database, args)
        self._view(database, args)
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

    def _table(self, database: glue.CatalogDatabase, args: LakeArgs) -> None:
        glue.CatalogTable(
            "ingestion-lake-table",
            database_name=database.name,
            name="rows",
            description="Every row of every version that was taken in; the view `newest` has each key's newest version",
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
                    {"name": one.name, "type": one.type.hive} for one in columns(args.settings.spark.schema_ddl)
                ],
            },
            opts=self._child,
        )

    def _view(self, database: glue.CatalogDatabase, args: LakeArgs) -> None:
        listed = [*columns(args.settings.spark.schema_ddl), *parse_columns(f"{PARTITION} STRING")]
        sql = NEWEST.read_text(encoding="utf-8").replace("${table}", "rows")
        view = {
            "originalSql": sql,
            "catalog": "awsdatacatalog",
            "schema": self.database,
            "columns": [{"name": one.name, "type": one.type.presto} for one in listed],
        }
        glue.CatalogTable(
            "ingestion-lake-view",
            database_name=database.name,
            name="newest",
            description="Each key's newest version",
            table_type="VIRTUAL_VIEW",
            parameters={"presto_view": "true"},
            view_original_text=f"/* Presto View: {base64.b64encode(json.dumps(view).encode()).decode()} */",
            view_expanded_text="/* Presto View */",
            storage_descriptor={
                # Nothing reads it, but Athena gives each of its own views one.
                "ser_de_info": {"name": "-", "serialization_library": "-"},
                "columns": [{"name": one.name, "type": one.type.hive} for one in listed],
            },
            opts=self._child,
        )


def columns(schema_ddl: str) -> list[CatalogColumn]:
    """The catalogue's columns: those of the data, as the settings' schema says, and our own."""
    return [
        *parse_data_columns(schema_ddl),
        *parse_columns(", ".join(f"{name} {kind}" for name, kind in SYSTEM_COLUMNS)),
    ]
