"""Buckets, tables, images and what is kept of them."""

from guardrails.model.resource_types import (
    ATHENA_WORKGROUP,
    BACKUP_VAULT,
    BUCKET,
    IMAGE_REPOSITORY,
    KMS_KEY,
    SECRET,
    SSM_PARAMETER,
    TABLE,
)
from guardrails.pricing.price_rule import PricedResource, PriceRule, PricingInput, Quantities, monthly_rule, usage_rule


def _table(pricing: PricingInput) -> Quantities:
    yield "dynamodb_write", pricing.amount("writes") + pricing.amount("indexWrites")
    yield "dynamodb_read", pricing.amount("reads")
    yield "dynamodb_storage", pricing.amount("storageGb")
    if (pricing.props.get("pointInTimeRecovery") or {}).get("enabled"):
        yield "dynamodb_point_in_time_recovery", pricing.amount("storageGb")


def _parameter(pricing: PricingInput) -> Quantities:
    yield "parameter_advanced", 1 if pricing.props.get("tier") == "Advanced" else 0


def _audit(resource: PricedResource) -> bool:
    return resource.block.endswith("audit-logs")


PRICE_RULES = {
    BUCKET: usage_rule(
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
        is_usage_optional=_audit,
    ),
    TABLE: PriceRule(
        _table,
        required_measures={
            "writes": "write request units (1 KB each)",
            "reads": "read request units (4 KB each)",
            "storageGb": "GB kept on average, indexes included",
        },
        optional_measures={"indexWrites": "write request units of global indexes"},
    ),
    BACKUP_VAULT: usage_rule(
        {"backupGb": ("backup_storage", "GB of backups kept on average: each is a whole copy of its table")},
        {"restoredGb": ("backup_restore", "GB restored")},
    ),
    IMAGE_REPOSITORY: usage_rule({"imageGb": ("ecr_storage", "GB of images kept on average")}),
    ATHENA_WORKGROUP: usage_rule({"scannedTb": ("athena_tb", "TB that queries scan")}),
    KMS_KEY: monthly_rule("kms_key"),
    SECRET: monthly_rule("secret"),
    SSM_PARAMETER: PriceRule(_parameter),
}
