"""Detection of secrets in texts: by the known formats of keys and tokens, by the name of the variable or property, by
assignments inside the text (`password=…`), and by random characters.

No public function returns the secret, so that no message can contain it.
"""

import base64
import binascii
import functools
import math
import re
from collections import Counter
from collections.abc import Iterator
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
MIN_RANDOM_LENGTH = 20
"""Minimum number of letters and digits of a text that looks random."""
MIN_HEX_LENGTH = 32
"""Minimum length of a hexadecimal text that looks random. It is greater than that of other texts, because hexadecimal
text has fewer different characters."""
MIN_ENTROPY = 3.6
"""Minimum entropy of the letters and digits of a text that looks random, in bits per character."""
MIN_HEX_ENTROPY = 3.0
"""`MIN_ENTROPY` of a hexadecimal text."""
MIN_CHANGE_SHARE = 0.3
"""Minimum share of pairs of adjacent characters whose classes differ, in a text that looks random. The classes are
digits, capitals and small letters."""
MIN_MIXED_CHANGE_SHARE = 0.35
"""`MIN_CHANGE_SHARE` of a text with all three classes."""
MIN_HEX_CHANGE_SHARE = 0.25
"""`MIN_CHANGE_SHARE` of a hexadecimal text."""
_CANDIDATE = re.compile(rf"[A-Za-z0-9+/_=-]{{{MIN_RANDOM_LENGTH},}}")
"""Part of a text that is long enough to be random, with the separators and signs that keys contain."""
_NO_SECRET = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"  # a UUID
    r"|[a-z]+-[0-9a-f]{8,17}"  # an id of EC2
    r"|sha(?:256|384|512)[:-][A-Za-z0-9+/=]+"
    r"|(?:API-Gateway-Execution-Logs_|/aws/apigateway/)[0-9a-z]+"  # the log group of a REST or WebSocket API
    r"|(?<=[A-Za-z]{6})-[A-Za-z0-9]{10}(?![\w/+=-])"  # the end of an id of AgentCore, after the resource's name
)
"""Random parts of a text that are no secrets: ids and hashes."""
HASH_WORDS = frozenset({"checksum", "digest", "etag", "fingerprint", "hash", "hashes", "md5", "thumbprint", "triggers"})
"""Words in names whose values are hashes, which are random but no secrets."""
_HEX = re.compile(r"[0-9a-f]+|[0-9A-F]+")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{24,}={0,2}")
"""Part of a text that may be Base64."""


@functools.cache
def find_secret(name: str, text: str, *, is_hash: bool = False) -> str | None:
    """Return the kind of secret that a text contains, for example `a private key`; None if it contains none.

    `name` is the name of the property or variable that has the text as its value. With `is_hash`, the text is a hash,
    so random characters are no sign of a secret. The result is cached, because a stack repeats most texts.
    """
    if len(text) < MIN_LENGTH_WITHOUT_NAME:
        return _find_by_name(name, text)
    return (
        _find_format(text)
        or _find_by_name(name, text)
        or _find_in_text(text)
        or (None if is_hash else _find_random(text))
    )


@functools.cache
def is_hash_path(path: str) -> bool:
    """Return True if the last two keys of a property's path say that the value is a hash."""
    words = {word.lower() for key in path.split(".")[-2:] for word in _WORDS.findall(key)}
    return bool(HASH_WORDS & words)


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


def _find_random(text: str) -> str | None:
    """Return the kind of secret if a part of a text looks random.

    Base64 of readable text is left out, because `_find_in_text` has read its content.
    """
    if len(text) < MIN_RANDOM_LENGTH:
        return None
    text = _BASE64.sub(lambda encoded: "" if _decode_base64(encoded[0]) else encoded[0], text)
    return "random characters like a key" if any(map(_is_random, _list_candidates(text))) else None


def _list_candidates(text: str) -> Iterator[str]:
    """Yield the parts of a text that may be random.

    A part with capitals, small letters and digits is yielded whole. Another part is split at its separators, because it
    may consist of words.
    """
    for candidate in _CANDIDATE.findall(_NO_SECRET.sub(" ", text)):
        if len(_list_classes(candidate)) == 3:
            yield candidate
        else:
            yield from re.split(r"[-_/+=]+", candidate)


def _list_classes(text: str) -> set[str]:
    return {_get_class(letter) for letter in text if letter.isalnum()}


def _get_class(letter: str) -> str:
    return "digit" if letter.isdigit() else "capital" if letter.isupper() else "small"


def _is_random(text: str) -> bool:
    """Return True if a text looks random: it has many different characters, and their class (digit, capital or small
    letter) changes more often than in words.
    """
    letters = [letter for letter in text if letter.isalnum()]
    classes = _list_classes(text)
    if len(letters) < MIN_RANDOM_LENGTH or "digit" not in classes or len(classes) < 2:
        return False
    changes = sum(_get_class(first) != _get_class(second) for first, second in pairwise(letters))
    share = changes / (len(letters) - 1)
    entropy = -sum(n / len(letters) * math.log2(n / len(letters)) for n in Counter(letters).values())
    if _HEX.fullmatch(text):
        return len(text) >= MIN_HEX_LENGTH and entropy >= MIN_HEX_ENTROPY and share >= MIN_HEX_CHANGE_SHARE
    return entropy >= MIN_ENTROPY and share >= (MIN_MIXED_CHANGE_SHARE if len(classes) == 3 else MIN_CHANGE_SHARE)
