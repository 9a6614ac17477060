"""Sessions of a role, for a service that works in its name: as the emulator gives a function those of its own."""

import hashlib
from dataclasses import dataclass

import boto3
from ministack.core.responses import get_account_id, get_region
from ministack.services import sts

from local.patches import reached


@dataclass(frozen=True)
class Credentials:
    """What a service signs with."""

    key: str
    secret: str
    token: str

    def boto3(self) -> boto3.Session:
        """As boto3 takes them."""
        return boto3.Session(self.key, self.secret, self.token, get_region())


def opened(role_arn: str, name: str) -> Credentials:
    """Credentials of a role, which the emulator knows from now on."""
    digest = hashlib.sha256(f"{role_arn}:{name}".encode()).hexdigest()
    made = Credentials(
        f"ASIA{digest[:16].upper()}",
        hashlib.sha256(f"secret:{digest}".encode()).hexdigest(),
        hashlib.sha256(f"token:{digest}".encode()).hexdigest(),
    )
    role = role_arn.rpartition("/")[2]
    reached(sts, "register_session")(
        made.key,
        {
            "Arn": f"arn:aws:sts::{get_account_id()}:assumed-role/{role}/{name}",
            "UserId": f"{role}:{name}",
            "SecretAccessKey": made.secret,
            "SessionToken": made.token,
        },
    )
    return made
