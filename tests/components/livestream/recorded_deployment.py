"""Recorded deployment of the livestream backend for tests."""

from components.core import Subsystem
from components.livestream.livestream import Livestream
from components.settings import LivestreamSettings
from tests.components.deployment_harness import Deployment, prefix

PREFIX = prefix(Subsystem.LIVESTREAM)
KEY = "canary-" + "k" * 40
ISSUER = "https://login.example.com/"

LIVESTREAM = Deployment(
    Subsystem.LIVESTREAM,
    Livestream,
    LivestreamSettings,
    default_settings={"encryptionKey": KEY},
    foundation={"identity": {"issuer": ISSUER, "audience": "polyphony"}},
)
deployed = LIVESTREAM.deployed
"""Function that returns the recorded resources with the default settings, or with the settings that it is given."""
