"""Price rules of buckets, tables, backups, image repositories, keys, secrets, parameters and Athena queries."""

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
from guardrails.pricing.price_rule import (
    PricedResource,
    PriceRule,
    PricingInput,
    Quantities,
    make_monthly_rule,
    make_usage_rule,
)


def _price_table(pricing: PricingInput) -> Quantities:
    yield "dynamodb_write", pricing.amount("writes") + pricing.amount("indexWrites")
    yield "dynamodb_read", pricing.amount("reads")
    yield "dynamodb_storage", pricing.amount("storageGb")
    if (pricing.props.get("pointInTimeRecovery") or {}).get("enabled"):
        yield "dynamodb_point_in_time_recovery", pricing.amount("storageGb")


def _price_parameter(pricing: PricingInput) -> Quantities:
    yield "parameter_advanced", 1 if pricing.props.get("tier") == "Advanced" else 0


def _is_audit_bucket(resource: PricedResource) -> bool:
    """Return True for the audit bucket, which stores access logs. The program publishes no usage for it."""
    return resource.block.endswith("audit-logs")


PRICE_RULES = {
    BUCKET: make_usage_rule(
        {
            "storageGb": (
                "s3_storage",
                "average GB stored in the standard tier or the frequent tier, with old versions",
            ),
            "puts": ("s3_put", "objects or parts that are put, copied or listed"),
        },
        {
            "gets": ("s3_get", "objects or ranges that are read"),
            "infrequentGb": (
                "s3_infrequent_storage",
                "average GB stored in the infrequent tier of Intelligent-Tiering",
            ),
            "monitoredObjects": ("s3_tiering_monitoring", "objects that Intelligent-Tiering monitors"),
            "tieredObjects": ("s3_tiering_transition", "objects moved to Intelligent-Tiering"),
            "downloadedGb": ("data_transfer_out", "GB that browsers and other clients outside AWS download"),
            "acceleratedGb": ("s3_acceleration", "GB uploaded with Transfer Acceleration"),
        },
        is_usage_optional=_is_audit_bucket,
    ),
    TABLE: PriceRule(
        _price_table,
        required_measures={
            "writes": "write request units (1 KB each)",
            "reads": "read request units (4 KB each)",
            "storageGb": "average GB stored, with indexes",
        },
        optional_measures={"indexWrites": "write request units of global secondary indexes"},
    ),
    BACKUP_VAULT: make_usage_rule(
        {"backupGb": ("backup_storage", "average GB of stored backups; each is a full copy of its table")},
    ),
    IMAGE_REPOSITORY: make_usage_rule({"imageGb": ("ecr_storage", "average GB of stored images")}),
    ATHENA_WORKGROUP: make_usage_rule({"scannedTb": ("athena_tb", "TB that queries scan")}),
    KMS_KEY: make_monthly_rule("kms_key"),
    SECRET: make_monthly_rule("secret"),
    SSM_PARAMETER: PriceRule(_price_parameter),
}
