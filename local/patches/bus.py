"""Events of services of ours on the emulator's bus, as nobody outside may send them: their source is `aws.…`."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ministack.core.responses import set_request_account_id, set_request_region
from ministack.services import eventbridge

from local.patches import reached


def emit(region: str, source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str]) -> None:
    """Puts an event on the default bus."""
    set_request_account_id("")
    set_request_region(region)
    entry = {"Source": source, "DetailType": detail_type, "Detail": json.dumps(detail), "Resources": list(resources)}
    reached(eventbridge, "_put_events")({"Entries": [entry]}, allow_aws_source=True)
