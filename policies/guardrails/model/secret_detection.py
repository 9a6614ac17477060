"""Detection of secrets in texts: by the known formats of keys and tokens, by the name of the variable or property, and
by assignments inside the text (`password=…`). Random characters are no sign of a secret, because AWS invents ids of any
form.

No public function returns the secret, so that no message can contain it.
"""

import base64
import binascii
import functools
import re
from itertools import pairwise

SECRET_FORMATS = {
    "an AWS access key": r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b",
    "a private key": r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\bAGE-SECRET-KEY-1[0-9A-Z]{20,}",
    "a JSON web token": r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.",
    "a URL with a password": r"://[^/\s:@]*:(?![${<])[^/\s@]+@",
    "a presigned URL": r"[?&](?:X-Amz-Signature|sig|Signature)=[A-Za-z0-9%+/=]{16,}",
    "a GitHub token": r"\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{30,}",
    "a GitLab token": r"\bgl(?:pat|ptt|dt|rt)-[\w-]{20,}",
    "a Slack token": r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bxapp-\d-[A-Za-z0-9-]{10,}",
    "a webhook URL with a token": (
        r"hooks\.slack\.com/(?:services|workflows)/\S{10,}|discord(?:app)?\.com/api/webhooks/\S{10,}"
        r"|webhook\.office\.com/\S{10,}"
    ),
    "a Stripe key": r"\b[sr]k_(?:live|test)_[A-Za-z0-9]{16,}|\bwhsec_[A-Za-z0-9+/=]{16,}",
    "a Google key": r"\bAIza[\w-]{30,}|\bya29\.[\w-]{20,}|\bGOCSPX-[\w-]{20,}",
    "a SendGrid key": r"\bSG\.[\w-]{16,}\.[\w-]{16,}",
    "a Twilio key": r"\b(?:SK|AC)[0-9a-f]{32}\b",
    "a package registry token": r"\bnpm_[A-Za-z0-9]{30,}|\bpypi-[\w-]{30,}|\bdckr_pat_[\w-]{20,}|\brubygems_[0-9a-f]{40,}",
    "a key of a model provider": r"\bsk-(?:ant-|proj-|svcacct-)?[\w-]{20,}|\bhf_[A-Za-z0-9]{30,}|\bABSK[A-Za-z0-9+/=]{40,}",
    "a platform token": (
        r"\bhv[sb]\.[\w-]{20,}|\bdop_v1_[0-9a-f]{40,}|\bdapi[0-9a-f]{32}|\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}"
        r"|\bATATT3[\w=-]{20,}|\bNRAK-[A-Z0-9]{20,}|\blin_api_\w{30,}|\bPMAK-[\w-]{30,}|\bdp\.(?:pt|st)\.\w{30,}"
        r"|\bglsa_\w{30,}|\bpul-[0-9a-f]{40}|\b\d{8,10}:AA[\w-]{32,}|\bsntrys_\S{20,}|\bkey-[0-9a-f]{32}\b"
    ),
    "an authorization header": r"\b(?:[Bb]asic|[Bb]earer|BASIC|BEARER)\s+(?=\S*[0-9=])[A-Za-z0-9+/._~-]{16,}=*",
    "an account key": r"\b(?:AccountKey|SharedAccessKey|SharedAccessSignature)=[^;\s]{16,}",
}
"""Regular expressions of secrets that are recognized by their form, by the kind of secret."""
_FORMATS = {kind: re.compile(pattern) for kind, pattern in SECRET_FORMATS.items()}
_ANY_FORMAT = re.compile("|".join(SECRET_FORMATS.values()))

SECRET_WORDS = (
    *("apikey", "credential", "credentials", "dbpass", "passphrase", "passwd", "password", "pwd", "secret", "token"),
)
"""Ends of words in names of secrets. `PGPASSWORD` ends in `password`, for example."""
WORDS_BEFORE_KEY = frozenset(
    {"access", "account", "admin", "api", "auth", "cipher", "client", "cookie", "decryption", "deploy", "encryption"}
    | {"hmac", "host", "jwt", "license", "master", "private", "rsa", "secret", "session", "shared", "signing", "ssh"}
    | {"storage", "tls", "webhook"}
)
"""Words after which the word `key` names a secret, for example in `SIGNING_KEY`."""
HARMLESS_LAST_WORDS = frozenset(
    {"alg", "algorithm", "alias", "arn", "audience", "bucket", "budget", "claim", "count", "days", "enabled"}
    | {"endpoint", "expiration", "expiry", "field", "format", "header", "hours", "id", "ids", "issuer", "length"}
    | {"limit", "location", "manager", "max", "min", "minutes", "mode", "name", "parameter", "path", "policy"}
    | {"prefix", "provider", "ref", "reference", "region", "rotation", "scope", "scopes", "seconds", "size", "source"}
    | {"store", "table", "ttl", "type", "uri", "url", "validity", "version"}
)
"""Last words of names whose values describe a secret but do not contain it, for example `TOKEN_ISSUER`."""
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

REFERENCE = re.compile(
    r"arn:|alias/|ssm:|secretsmanager:|s3://|\{\{|\{%|@\{|\$[.{(]|\$(?:context|input|stageVariables|states)\b"
    r"|\$[A-Z_][A-Z0-9_]*$|%[A-Z_]+%$|<[\w -]+>$|(?:context|integration|method|stageVariables)\.[\w.-]+$"
    r"|https?://(?![^?]*\?)"
    r"|(?:/[\w.-]+)+$"
)
"""Beginnings of values that refer to a secret instead of containing it: an ARN, the path of a parameter, a variable."""
HARMLESS_VALUE = re.compile(r"true|false|null|none|[0-9.]*|\*", re.IGNORECASE)
"""Values that are no secret, even if the name is one: a flag, a number, or an empty text."""
_ASSIGNMENT = re.compile(
    r"""(?<![A-Za-z0-9])(?P<name>[\w.-]{0,40}?(?:password|passwd|passphrase|pwd|secret|token|credentials?
    |api[_-]?key|(?:access|account|private|secret|signing|encryption)[_-]?key))
    (?:
        ["']?\s*=\s*["']?               # password=value or password = "value"
        |["']?\s*:\s*["']               # "password": "value"
        |:\s*(?=\S*\d)(?=\S*[a-z])     # password: value, with a digit and a letter in the value
        |(?<=[\w-])\s+(?=\S*\d)        # --password value, with a digit in the value
    )
    (?P<value>[^\s"'&;,)|]{4,})""",
    re.IGNORECASE | re.VERBOSE,
)
"""Assignment of a value to a name that may be the name of a secret."""

MIN_LENGTH_WITHOUT_NAME = 8
"""Minimum length of a text that is itself searched for a secret. Of a shorter text, only the name is examined."""
_BASE64 = re.compile(r"[A-Za-z0-9+/]{24,}={0,2}")
"""Part of a text that may be Base64."""


@functools.cache
def find_secret(name: str, text: str) -> str | None:
    """Return the kind of secret that a text contains, for example `a private key`; None if it contains none.

    `name` is the name of the property or variable that has the text as its value. The result is cached, because a stack
    repeats most texts.
    """
    if len(text) < MIN_LENGTH_WITHOUT_NAME:
        return _find_by_name(name, text)
    return _find_format(text) or _find_by_name(name, text) or _find_in_text(text)


@functools.cache
def is_secret_name(name: str) -> bool:
    """Return True if a name usually belongs to a secret. `TOKEN_ISSUER` or `MAX_TOKENS` does not."""
    words = [word.lower() for word in _WORDS.findall(name)]
    while words and words[-1].isdigit():
        words.pop()
    if {"pass", "pw"} & set(words):
        return True
    if not words or words[-1] in HARMLESS_LAST_WORDS:
        return False
    return any(word.endswith(SECRET_WORDS) for word in words) or any(
        second in {"key", "keys"} and first in WORDS_BEFORE_KEY for first, second in pairwise(words)
    )


def _find_format(text: str) -> str | None:
    if _ANY_FORMAT.search(text) is None:
        return None
    return next(kind for kind, pattern in _FORMATS.items() if pattern.search(text))


def _find_by_name(name: str, text: str) -> str | None:
    return "a value instead of a reference" if is_secret_name(name) and _is_literal(text) else None


def _is_literal(value: str) -> bool:
    return not (REFERENCE.match(value) or HARMLESS_VALUE.fullmatch(value))


def _find_in_text(text: str) -> str | None:
    """Return the kind of secret if a text assigns a value to a secret name, or if its Base64 content does."""
    for found in _ASSIGNMENT.finditer(text):
        if is_secret_name(found["name"]) and _is_literal(found["value"]):
            return "a password or token"
    for encoded in _BASE64.findall(text):
        decoded = _decode_base64(encoded)
        if decoded and (kind := _find_format(decoded) or _find_in_text(decoded)):
            return f"{kind} in Base64"
    return None


def _decode_base64(encoded: str) -> str:
    """Return the printable text that Base64 encodes, or an empty text."""
    try:
        decoded = base64.b64decode(encoded, validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""
    return decoded if all(letter.isprintable() or letter.isspace() for letter in decoded) else ""
