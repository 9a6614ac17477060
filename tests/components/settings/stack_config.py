"""Stack configurations for tests of the settings, as the Pulumi CLI gives them to the program."""

import json
from copy import deepcopy
from typing import Any

from components.settings import SettingsError, load_settings
from tests.fake_engine import FOUNDATION

PAGE = "https://app.example.com"
IDENTITY = {"issuer": "https://login.example.com/", "audience": "polyphony"}
ENCRYPTION_KEY = "canary-" + "k" * 32
COMPLETE: dict[str, Any] = {
    "foundation": {**FOUNDATION, "identity": IDENTITY},
    "ingestion": {"intake": {"corsOrigin": PAGE}},
    "transcription": {},
    "voiceQa": {
        "guestIdKey": ENCRYPTION_KEY,
        "agentcore": {"endpoint": "https://agent.example.com"},
        "audio": {"origins": [PAGE]},
    },
    "livestream": {"encryptionKey": ENCRYPTION_KEY, "api": {"corsOrigin": PAGE}},
    "meetings": {"exchange": {"corsOrigin": PAGE}},
}
"""Configuration with all subsystems, whose values every environment accepts."""


def stack_config(changes: dict[str, Any] | None = None, environment: str = "dev") -> dict[str, str]:
    """Return the configuration of a stack with all subsystems. `changes` maps dotted keys to values."""
    values = {"environment": environment, **deepcopy(COMPLETE)}
    for key, value in (changes or {}).items():
        *group_names, name = key.split(".")
        group = values
        for group_name in group_names:
            group = group.setdefault(group_name, {})
        group[name] = value
    return {f"polyphony:{key}": value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}


def problems(raw: dict[str, str]) -> list[str]:
    """Return the lines of the loader's error; empty if the loader accepts the configuration."""
    try:
        load_settings(raw, "dev")
    except SettingsError as error:
        return error.problems
    return []
