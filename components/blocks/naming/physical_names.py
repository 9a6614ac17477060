"""Physical names, which are the names of resources on AWS: `polyphony-<stack>-<subsystem>-<short name>`.

A name that is too long keeps its start and ends in a hash of the whole name. So it is the same at each deployment, and
differs from other long names with the same start.
"""

import hashlib
import re
from collections.abc import Sequence
from enum import Enum

HASH_LENGTH = 8


class Kind(Enum):
    """Kind of named resource, with the maximum length of its name (from the services' API references)."""

    ALARM = ("alarm", 255)
    ANOMALY_MONITOR = ("anomaly monitor", 1024)
    BACKUP_PLAN = ("backup plan", 50)
    BACKUP_SELECTION = ("backup selection", 50)
    BACKUP_VAULT = ("backup vault", 50)
    BATCH_JOB = ("job definition", 128)
    BATCH_QUEUE = ("job queue", 128)
    BUCKET = ("bucket", 63)
    BUDGET = ("budget", 100)
    DASHBOARD = ("dashboard", 255)
    EVENT_ARCHIVE = ("event archive", 48)
    EVENT_RULE = ("event rule", 64)
    COMPUTE_ENVIRONMENT = ("compute environment", 101)
    """Shorter than the service's limit, because the provider appends a hyphen and 26 characters. The suffix lets a new
    compute environment exist before the old environment is deleted."""
    FUNCTION = ("function", 64)
    GLUE_JOB = ("Glue job", 255)
    IDENTITY_POOL = ("identity pool", 128)
    IMAGE_REPOSITORY = ("image repository", 256)
    LAYER = ("layer", 64)
    MEMORY = ("memory store", 48)
    PARAMETER = ("parameter", 1010)
    QUEUE = ("queue", 80)
    REST_API = ("REST API", 255)
    ROLE = ("role", 64)
    SECURITY_GROUP = ("security group", 228)
    """Shorter than the service's limit, because the provider appends a hyphen and 26 characters here too. Resources
    move to the new group before the old group is deleted."""
    SECURITY_CONFIGURATION = ("security configuration", 255)
    SCHEDULE = ("schedule", 64)
    STATE_MACHINE = ("state machine", 80)
    TABLE = ("table", 255)
    TOPIC = ("topic", 256)
    WEBSOCKET_API = ("WebSocket API", 128)
    WORKGROUP = ("workgroup", 128)

    def __init__(self, label: str, limit: int) -> None:
        self.label = label
        self.limit = limit


class InvalidName(ValueError):
    """The given parts cannot form a valid, unique name or tag."""


def stack_part(stack: str) -> str:
    """Return the stack's name as it appears in resource names: `[a-z0-9-]`.

    A stack name that had to be changed also gets a hash of the original, so that `feature/x` and `feature-x` do not
    share resources.
    """
    cleaned = re.sub(r"[^a-z0-9]+", "-", stack.lower()).strip("-")
    if not cleaned:
        raise InvalidName(f"stack name {stack!r} has no letter or digit. Choose a name of a-z, 0-9 and hyphens")
    return cleaned if cleaned == stack else f"{cleaned}-{_digest(stack)}"


def physical_name(kind: Kind, parts: Sequence[str], suffix: str = "") -> str:
    """Join the parts and the suffix with hyphens.

    If the name exceeds the service's limit, the parts are shortened and end in a hash. The suffix is never shortened.
    """
    for part in (*parts, *([suffix] if suffix else [])):
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", part):
            raise InvalidName(f"{part!r} cannot be part of a {kind.label}'s name. Use a-z, 0-9 and single hyphens")
    body = "-".join(parts)
    max_length = kind.limit - (len(suffix) + 1 if suffix else 0)
    if len(body) > max_length:
        body = f"{body[: max_length - HASH_LENGTH - 1].rstrip('-')}-{_digest(body)}"
    return f"{body}-{suffix}" if suffix else body


def underscored_name(kind: Kind, parts: Sequence[str], last: str) -> str:
    """Build a name for a service that accepts no hyphens: `polyphony_<stack>_<last>`.

    `last` is one word without underscores, so two resources never share a name.
    """
    if not re.fullmatch(r"[a-zA-Z][a-zA-Z0-9]*", last):
        raise InvalidName(
            f"{last!r} cannot be part of a {kind.label}'s name. Begin with a letter, and use a-z, A-Z and 0-9"
        )
    body = "_".join([*parts, last]).replace("-", "_")
    return body if len(body) <= kind.limit else f"{body[: kind.limit - HASH_LENGTH - 1].rstrip('_')}_{_digest(body)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_LENGTH]
