"""DynamoDB table with on-demand billing, encryption, expiry of items, and the configured protection."""

from collections.abc import Sequence
from typing import NamedTuple

from pulumi_aws import dynamodb

from components.blocks.iam import Grant, grant
from components.core import Block, Context, Kind, Scope

BACKUP_TAG = "Backup"
"""Tag by which the backup plan selects tables."""
READ_ACTIONS = frozenset({"BatchGetItem", "GetItem", "Query", "Scan"})
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


class SecondaryIndex(NamedTuple):
    """Global secondary index. It is sparse if items omit its key attributes."""

    name: str
    hash_key: str
    range_key: str
    projected_attributes: Sequence[str] = ()
    """Attributes that the index copies in addition to the keys. Without them, it copies all attributes."""


class Table(Block):
    """DynamoDB table, and the grants on it."""

    def __init__(
        self,
        scope: Scope,
        short_name: str,
        *,
        display_name: str,
        hash_key: str,
        range_key: str | None = None,
        ttl_attribute: str,
        indexes: Sequence[SecondaryIndex] = (),
        kms_key_arn: str | None = None,
        daily_backup: bool = False,
        max_write_units: int | None = None,
        max_read_units: int | None = None,
    ) -> None:
        """Create the table. All key attributes are strings.

        - `ttl_attribute` has the time at which an item expires, in epoch seconds.
        - `kms_key_arn` is a customer managed key; None uses the key that DynamoDB owns, which is free.
        - With `daily_backup`, the stack's backup plan copies the table every day, in addition to point-in-time recovery.
        - `max_write_units` and `max_read_units` are the maximum request units per second, both or neither. A table that
          clients reach without an API needs them, because nothing else limits its cost.
        """
        super().__init__("Table", scope, short_name, display_name)
        data = scope.foundation.data
        self.name = scope.name(Kind.TABLE, short_name)
        self.arn = scope.context.arn("dynamodb", f"table/{self.name}")
        self._key = kms_key_arn
        index_keys = [key for index in indexes for key in (index.hash_key, index.range_key)]
        keys = dict.fromkeys(key for key in (hash_key, range_key, *index_keys) if key is not None)
        self.table = dynamodb.Table(
            self.part_name("table"),
            name=self.name,
            billing_mode="PAY_PER_REQUEST",
            hash_key=hash_key,
            range_key=range_key,
            attributes=[{"name": key, "type": "S"} for key in keys],
            on_demand_throughput={"max_write_request_units": max_write_units, "max_read_request_units": max_read_units}
            if max_write_units and max_read_units
            else None,
            global_secondary_indexes=[_index_args(index) for index in indexes],
            ttl={"attribute_name": ttl_attribute, "enabled": True},
            point_in_time_recovery={"enabled": data.point_in_time_recovery},
            deletion_protection_enabled=data.deletion_protection,
            # Set even without a key: if the property were missing, the provider would keep the table's current key.
            server_side_encryption={"enabled": True, "kms_key_arn": kms_key_arn} if kms_key_arn else {"enabled": False},
            tags=scope.tags(display_name, {BACKUP_TAG: backup_tag_value(scope.context) if daily_backup else None}),
            opts=self.scope.options(holds_data=True),
        )
        self.register_outputs({"name": self.name, "arn": self.arn})

    def grant(self, *actions: str, index: str | None = None, variable: str | None = None) -> Grant:
        """Grant actions on this table or on one of its indexes: `grant("Query", index="GSI1")`. `variable` is the field
        of the handler's environment model that gets the table's name.
        """
        arn = self.arn if index is None else f"{self.arn}/index/{index}"
        return grant("dynamodb", actions, arn, companions=self._key_grants(actions)).with_variable(variable, self.name)

    def _key_grants(self, actions: Sequence[str]) -> tuple[Grant, ...]:
        if self._key is None:
            return ()
        write_actions = () if set(actions) <= READ_ACTIONS else KEY_ACTIONS_FOR_WRITES
        key_actions = (*KEY_ACTIONS_FOR_READS, *write_actions)
        return (grant_key_through_dynamodb(self.scope.context, key_actions, self._key),)


def grant_key_through_dynamodb(context: Context, actions: Sequence[str], key_arn: str) -> Grant:
    """Grant use of a customer managed key through DynamoDB only, because DynamoDB calls KMS on behalf of the caller."""
    service = f"dynamodb.{context.region}.amazonaws.com"
    return grant("kms", actions, key_arn, {"StringEquals": {"kms:ViaService": service}})


def backup_tag_value(context: Context) -> str:
    """Return the value of the tag by which this stack's backup plan selects tables. Each stack has another value."""
    return f"{context.stack_label}-daily"


def _index_args(index: SecondaryIndex) -> dynamodb.TableGlobalSecondaryIndexArgsDict:
    keys = (index.hash_key, "HASH"), (index.range_key, "RANGE")
    index_args: dynamodb.TableGlobalSecondaryIndexArgsDict = {
        "name": index.name,
        "key_schemas": [{"attribute_name": name, "key_type": kind} for name, kind in keys],
        "projection_type": "INCLUDE" if index.projected_attributes else "ALL",
    }
    if index.projected_attributes:
        index_args["non_key_attributes"] = list(index.projected_attributes)
    return index_args
