"""Buckets, tables, images and what is kept of them."""

from guardrails.pricing.rule import Bill, Priced, Quantities, Rule, of_months
from guardrails.types import BACKUP_VAULT, BUCKET, KEY, PARAMETER, REPOSITORY, SECRET, TABLE, WORKGROUP


def _bucket(bill: Bill) -> Quantities:
    yield "s3_storage", bill.of("storageGb")
    yield "s3_put", bill.of("puts")
    yield "s3_get", bill.of("gets")
    yield "s3_infrequent_storage", bill.of("infrequentGb")
    yield "s3_tiering_monitoring", bill.of("monitoredObjects")
    yield "s3_tiering_transition", bill.of("tieredObjects")
    yield "data_transfer_out", bill.of("downloadedGb")
    yield "s3_acceleration", bill.of("acceleratedGb")


def _table(bill: Bill) -> Quantities:
    yield "dynamodb_write", bill.of("writes") + bill.of("indexWrites")
    yield "dynamodb_read", bill.of("reads")
    yield "dynamodb_storage", bill.of("storageGb")
    if (bill.props.get("pointInTimeRecovery") or {}).get("enabled"):
        yield "dynamodb_point_in_time_recovery", bill.of("storageGb")


def _vault(bill: Bill) -> Quantities:
    yield "backup_storage", bill.of("backupGb")
    yield "backup_restore", bill.of("restoredGb")


def _repository(bill: Bill) -> Quantities:
    yield "ecr_storage", bill.of("imageGb")


def _workgroup(bill: Bill) -> Quantities:
    yield "athena_tb", bill.of("scannedTb")


def _parameter(bill: Bill) -> Quantities:
    yield "parameter_advanced", 1 if bill.props.get("tier") == "Advanced" else 0


def _audit(one: Priced) -> bool:
    return one.block.endswith("audit-logs")


RULES = {
    BUCKET: Rule(
        _bucket,
        needs={
            "storageGb": "GB kept on average, in the standard or the frequent tier, old versions included",
            "puts": "objects or parts put, copied or listed",
        },
        also={
            "gets": "objects or ranges read",
            "infrequentGb": "GB kept on average in Intelligent-Tiering's infrequent tier",
            "monitoredObjects": "objects in Intelligent-Tiering",
            "tieredObjects": "objects moved to Intelligent-Tiering",
            "downloadedGb": "GB that browsers and other clients outside of AWS load from it",
            "acceleratedGb": "GB sent to it by Transfer Acceleration",
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
    BACKUP_VAULT: Rule(
        _vault,
        needs={"backupGb": "GB of backups kept on average: each is a whole copy of its table"},
        also={"restoredGb": "GB restored"},
    ),
    REPOSITORY: Rule(_repository, needs={"imageGb": "GB of images kept on average"}),
    WORKGROUP: Rule(_workgroup, needs={"scannedTb": "TB that queries scan"}),
    KEY: of_months("kms_key"),
    SECRET: of_months("secret"),
    PARAMETER: Rule(_parameter),
}
