"""DynamoDB table with on-demand billing, encryption, expiry of items, and the configured protection and backup."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pulumi
from pulumi_aws import dynamodb

from components.blocks.block import Block
from components.blocks.iam.grant import Grant, grant
from components.blocks.naming.context import Context
from components.blocks.naming.physical_names import Kind
from components.blocks.naming.subsystem_scope import Scope

BACKUP_TAG = "Backup"
"""Tag by which the backup plan selects tables."""
READ_ACTIONS = frozenset({"BatchGetItem", "ConditionCheckItem", "GetItem", "Query", "Scan"})
KEY_ACTIONS_FOR_READS = ("Decrypt", "DescribeKey")
"""KMS actions that DynamoDB performs for the caller of a read. A write needs them, too (DynamoDB guide, "Using a
customer managed key")."""
KEY_ACTIONS_FOR_WRITES = (
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
)
"""KMS actions that DynamoDB performs for the caller of a write, in addition to those for reads."""


@dataclass(frozen=True)
class SecondaryIndex:
    """Global secondary index. It is sparse if items omit its key attributes."""

    name: str
    hash_key: str
    range_key: str | None = None
    projected_attributes: Sequence[str] | None = None
    """Attributes that the index copies in addition to the keys. None copies all attributes; an empty list copies only
    the keys."""


@dataclass(frozen=True)
class TableArgs:
    scope: Scope
    display_name: str
    hash_key: str
    """Key attribute. All key attributes are strings."""
    range_key: str | None = None
    indexes: Sequence[SecondaryIndex] = ()
    ttl_attribute: str | None = None
    """Attribute with the time at which an item expires, in epoch seconds; None if items do not expire."""
    kms_key_arn: str | None = None
    """Customer managed key; None uses the key that DynamoDB owns, which is free."""
    no_backup_reason: str | None = None
    """Reason why the table has no backup, or None if it has one. The reason becomes the tag `Reason`, which the
    guardrail policies require of a table without backup."""


class Table(Block):
    def __init__(self, short_name: str, args: TableArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("Table", short_name, args.scope, opts)
        scope, data = args.scope, args.scope.foundation.data
        self.name = scope.name(Kind.TABLE, short_name)
        self.arn = scope.context.arn("dynamodb", f"table/{self.name}")
        self._key = args.kms_key_arn
        self._indexes = {index.name for index in args.indexes}
        keys = dict.fromkeys(
            key
            for key in (
                args.hash_key,
                args.range_key,
                *(key for index in args.indexes for key in (index.hash_key, index.range_key)),
            )
            if key is not None
        )
        backup_tag = backup_tag_value(scope.context) if args.no_backup_reason is None else "none"
        self.table = dynamodb.Table(
            self.part_name("table"),
            name=self.name,
            billing_mode="PAY_PER_REQUEST",
            hash_key=args.hash_key,
            range_key=args.range_key,
            attributes=[{"name": key, "type": "S"} for key in keys],
            global_secondary_indexes=[_index_args(index) for index in args.indexes],
            ttl={"attribute_name": args.ttl_attribute, "enabled": True} if args.ttl_attribute else None,
            point_in_time_recovery={"enabled": data.point_in_time_recovery},
            deletion_protection_enabled=data.deletion_protection,
            # Set even without a key: if the property were missing, the provider would keep the table's current key.
            server_side_encryption={"enabled": True, "kms_key_arn": self._key} if self._key else {"enabled": False},
            tags=scope.tags(args.display_name, {BACKUP_TAG: backup_tag, "Reason": args.no_backup_reason}),
            opts=self.part_options(holds_data=True),
        )
        self.register_outputs({"name": self.name, "arn": self.arn})

    def grant(self, *actions: str, index: str | None = None) -> Grant:
        """Grant actions on this table or on one of its indexes: `grant("Query", index="GSI1")`."""
        if index is not None and index not in self._indexes:
            raise ValueError(f"{self.name} has no index {index!r}; it has {sorted(self._indexes) or 'none'}")
        table_grant = grant("dynamodb", actions, self.arn if index is None else f"{self.arn}/index/{index}")
        return replace(table_grant, companions=self._key_grants(actions))

    def _key_grants(self, actions: Sequence[str]) -> tuple[Grant, ...]:
        """Grant use of the customer managed key through DynamoDB only, because DynamoDB calls KMS on behalf of the
        caller.
        """
        if self._key is None:
            return ()
        key_actions = (
            KEY_ACTIONS_FOR_READS if set(actions) <= READ_ACTIONS else (*KEY_ACTIONS_FOR_READS, *KEY_ACTIONS_FOR_WRITES)
        )
        service = f"dynamodb.{self.scope.context.region}.{self.scope.context.dns_suffix}"
        return (grant("kms", key_actions, self._key, {"StringEquals": {"kms:ViaService": service}}),)


def backup_tag_value(context: Context) -> str:
    """Return the value of the backup tag by which this stack's backup plan selects tables. It differs between
    stacks.
    """
    return f"{context.stack_label}-daily"


def _index_args(index: SecondaryIndex) -> dynamodb.TableGlobalSecondaryIndexArgsDict:
    keys = [(index.hash_key, "HASH"), *([(index.range_key, "RANGE")] if index.range_key is not None else [])]
    index_args: dynamodb.TableGlobalSecondaryIndexArgsDict = {
        "name": index.name,
        "key_schemas": [{"attribute_name": name, "key_type": kind} for name, kind in keys],
        "projection_type": "ALL"
        if index.projected_attributes is None
        else "INCLUDE"
        if index.projected_attributes
        else "KEYS_ONLY",
    }
    if index.projected_attributes:
        index_args["non_key_attributes"] = list(index.projected_attributes)
    return index_args
