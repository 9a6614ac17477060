"""Buckets, tables, images and what is kept of them."""

from guardrails.model.resource_types import BACKUP_VAULT, BUCKET, KEY, PARAMETER, REPOSITORY, SECRET, TABLE, WORKGROUP
from guardrails.pricing.price_rule import Bill, Priced, Quantities, Rule, of_measures, of_months


def _table(bill: Bill) -> Quantities:
    yield "dynamodb_write", bill.of("writes") + bill.of("indexWrites")
    yield "dynamodb_read", bill.of("reads")
    yield "dynamodb_storage", bill.of("storageGb")
    if (bill.props.get("pointInTimeRecovery") or {}).get("enabled"):
        yield "dynamodb_point_in_time_recovery", bill.of("storageGb")


def _parameter(bill: Bill) -> Quantities:
    yield "parameter_advanced", 1 if bill.props.get("tier") == "Advanced" else 0


def _audit(one: Priced) -> bool:
    return one.block.endswith("audit-logs")


RULES = {
    BUCKET: of_measures(
        {
            "storageGb": (
                "s3_storage",
                "GB kept on average, in the standard or the frequent tier, old versions included",
            ),
            "puts": ("s3_put", "objects or parts put, copied or listed"),
        },
        {
            "gets": ("s3_get", "objects or ranges read"),
            "infrequentGb": ("s3_infrequent_storage", "GB kept on average in Intelligent-Tiering's infrequent tier"),
            "monitoredObjects": ("s3_tiering_monitoring", "objects in Intelligent-Tiering"),
            "tieredObjects": ("s3_tiering_transition", "objects moved to Intelligent-Tiering"),
            "downloadedGb": ("data_transfer_out", "GB that browsers and other clients outside of AWS load from it"),
            "acceleratedGb": ("s3_acceleration", "GB sent to it by Transfer Acceleration"),
        },
        needless=_audit,
    ),
    TABLE: Rule(
        _table,
        needs={
            "writes": "write request units (1 KB each)",
            "reads": "read request units (4 KB each)",
            "storageGb": "GB kept on average, indexes included",
        },
        also={"indexWrites": "write request units of global indexes"},
    ),
    BACKUP_VAULT: of_measures(
        {"backupGb": ("backup_storage", "GB of backups kept on average: each is a whole copy of its table")},
        {"restoredGb": ("backup_restore", "GB restored")},
    ),
    REPOSITORY: of_measures({"imageGb": ("ecr_storage", "GB of images kept on average")}),
    WORKGROUP: of_measures({"scannedTb": ("athena_tb", "TB that queries scan")}),
    KEY: of_months("kms_key"),
    SECRET: of_months("secret"),
    PARAMETER: Rule(_parameter),
}
