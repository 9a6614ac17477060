"""Policies about the protection of data: recovery, deletion, origins and logged events.

`Rule(…).requires(…)` registers a policy about properties of one type of resource. A policy is mandatory in staging and
prod, except that `MANDATORY_IN_PROD` is advisory in staging and disabled in dev.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from guardrails import resource_types as t
from guardrails.records import (
    ADVISORY_IN_DEV,
    DISABLED_IN_DEV,
    MANDATORY_IN_PROD,
    CheckedResource,
    Group,
    PolicySet,
    Severity,
)
from guardrails.rules.requirement import IS_SET, IS_TRUE, NOT_TRUE, Rule, describe, one_of

MEDIUM, HIGH = Severity.MEDIUM, Severity.HIGH
POLICIES = PolicySet(Group.DATA_PROTECTION)

BODY_LOGGING_VARIABLES: Final = ("POWERTOOLS_LOGGER_LOG_EVENT", "POWERTOOLS_TRACER_CAPTURE_RESPONSE")
"""Variables of Powertools for AWS Lambda with which a function logs its events or traces its responses."""
ORIGIN_VARIABLE: Final = "ORIGIN"
"""Environment variable with the origin that a function of this program allows."""
ORIGIN_HEADER: Final = "header.access-control-allow-origin"
"""End of the keys, in lower case, with which an OpenAPI document sets the CORS response header."""
MIN_BACKUP_DAYS: Final = 7

Rule(POLICIES, "bucket-never-emptied", HIGH, MANDATORY_IN_PROD).requires(
    t.BUCKET,
    {"forceDestroy": NOT_TRUE},
    description="In prod, a deployment that deletes a bucket must not delete its objects.",
    remedy="Set foundation.data.deletionProtection to true.",
)
Rule(POLICIES, "table-point-in-time-recovery", HIGH, MANDATORY_IN_PROD).requires(
    t.TABLE,
    {"pointInTimeRecovery.enabled": IS_TRUE},
    description="In prod, every table has point-in-time recovery.",
    remedy="Set foundation.data.pointInTimeRecovery to true.",
)
Rule(POLICIES, "table-deletion-protected", HIGH, MANDATORY_IN_PROD).requires(
    t.TABLE,
    {"deletionProtectionEnabled": IS_TRUE},
    description="In prod, every table has deletion protection.",
    remedy="Set foundation.data.deletionProtection to true.",
)
Rule(POLICIES, "function-logs-no-events", HIGH, DISABLED_IN_DEV).requires(
    t.FUNCTION,
    {f"environment.variables.{name}": one_of("false", "0", default="false") for name in BODY_LOGGING_VARIABLES},
    description="No function logs its events or traces its responses.",
    remedy="Remove the environment variable that enables this.",
)
Rule(POLICIES, "glue-encrypts", MEDIUM, ADVISORY_IN_DEV).requires(
    t.GLUE_JOB,
    {"securityConfiguration": IS_SET},
    description="Every Glue job has a security configuration.",
    remedy="Set securityConfiguration. It encrypts output on S3, and with a KMS key also logs and bookmarks.",
)


@POLICIES.resource_policy(
    "backups-kept",
    severity=HIGH,
    levels=ADVISORY_IN_DEV,
    description=f"Backups are kept for at least {MIN_BACKUP_DAYS} days.",
    remedy="Raise foundation.backup.retentionDays.",
    types={t.BACKUP_PLAN},
)
def _check_backups_kept(plan: CheckedResource) -> Iterator[str]:
    for rule in plan.get("rules") or ():
        days = (rule.get("lifecycle") or {}).get("deleteAfter")
        if days is not None and days < MIN_BACKUP_DAYS:
            yield f"deleteAfter is {describe(days)} days."


@POLICIES.resource_policy(
    "cors-origin-named",
    severity=HIGH,
    levels=MANDATORY_IN_PROD,
    description="In prod, browsers may use buckets and APIs only from named origins with HTTPS.",
    remedy="Set the origin of the console, Polyphony's web page, in the subsystem's settings, for example https://console.example.com.",
    types={t.BUCKET_CORS, t.REST_API, t.FUNCTION},
)
def _check_cors_origin_named(resource: CheckedResource) -> Iterator[str]:
    """Yield a message about each origin with a wildcard, without HTTPS, or computed from the request. An empty origin
    allows no page.
    """
    for origin in sorted({origin.strip(" '") for origin in _list_origins(resource)}):
        if origin and not re.fullmatch(r"https://[^*\s]+", origin):
            yield f"The allowed origin is {origin}, but must begin with https:// and have no wildcard."


def _list_origins(resource: CheckedResource) -> list[str]:
    if resource.type == t.FUNCTION:
        return [str(resource.get(f"environment.variables.{ORIGIN_VARIABLE}") or "")]
    if resource.type == t.BUCKET_CORS:
        return [origin for rule in resource.get("corsRules") or () for origin in rule["allowedOrigins"]]
    pairs: list[tuple[str, Any]] = []
    json.loads(resource.get("body") or "{}", object_pairs_hook=pairs.extend)  # collects the pairs of all levels
    return [str(value) for key, value in pairs if key.lower().endswith(ORIGIN_HEADER)]
