"""Checks that compare a stack's settings with each other and with the stack's environment.

The loader runs them after the models have checked each setting by itself. All are rows of one table, `CHECKS`.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import reduce
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address
from typing import Any

from pydantic.alias_generators import to_snake

from components.settings.base import Environment, LogLevel, SettingsModel, show_value
from components.settings.foundation import Auth
from components.settings.ingestion import ANNOUNCED_DAYS
from components.settings.livestream import AuthorizerKind
from components.settings.stack import SECRETS, StackSettings
from components.settings.voice_qa import AgentMode, LectureUploads
from handlers.common.bedrock import find_traits
from handlers.livestream.environment import MAX_OUTPUT_TOKENS

LOCAL, PROD = (Environment.LOCAL,), (Environment.PROD,)
RELIED_ON = (Environment.STAGING, Environment.PROD)
"""Environments on which users depend. The other environments are for experiments."""
ON_AWS = (Environment.DEV, *RELIED_ON)
ALL = tuple(Environment)

SECONDS_TIMES_MB_PER_FILE = 5
"""Seconds that a function of ingestion needs for each file of a manifest (the files that one Spark run processes),
multiplied by the function's memory in MB. Lambda assigns processor time in proportion to memory. The value is twice the
measured one."""
SINGLE_VCPU_MB = 1769
"""Memory up to which more memory makes a function faster. With more than this, Lambda adds a second vCPU, which a
single process cannot use."""
ANSWER_MARGIN_SECONDS = 30
"""Time that the query worker of voice Q&A needs in addition to the agent's answer."""
UNRESERVED_CONCURRENCY = 100
"""Concurrent invocations that Lambda keeps for the account's functions without a reservation."""
WINDOW_MARGIN_SECONDS = 20
"""Time that the fact-check agent needs for a window (a section of a transcript), in addition to two answers of the
model: 12 seconds to read the window, and 8 seconds to store its findings."""
SUMMARY_MARGIN_SECONDS = 60
"""Time that the summary function of meetings needs in addition to two answers of the model."""
TOKENS_PER_SECOND = 60
"""Output speed of an average model. The time for an answer must suffice for the longest answer at this speed, because
an answer that exceeds the time limit is billed nevertheless."""
ENCODE_MINUTES = 120
"""Maximum vCPU minutes to encode one hour of a recording. It is an assumption (docs/decisions/0061)."""

HTTPS_WHY = "must be an https URL, because the provider's keys are loaded from it"
TOKENS_WHY = "is required with auth oidc, and for meetings, because tokens identify the owner of a meeting"
FILES_WHY = (
    f"must be at least manifests.files times {SECONDS_TIMES_MB_PER_FILE} / memoryMb (of which {SINGLE_VCPU_MB} count), because "
    "one invocation processes all files of a manifest"
)
GUEST_WRITES_WHY = (
    "must be false, because everyone can be a guest, and nothing limits the items of 400 KB that guests write, which cost up to "
    "$0.25 per thousand: remove the setting, because the backend stores the conversations itself"
)
PAGE_WHY = "give the origin of the page that may use it"
TWICE_WHY = "because the model may answer twice, and the function also needs time to read and store"


def _lacks_time_for_files(seconds: int, memory_mb: int, stack: StackSettings) -> bool:
    return seconds * min(memory_mb, SINGLE_VCPU_MB) < stack.ingestion.manifests.files * SECONDS_TIMES_MB_PER_FILE


def _lacks_tokens(value: object, stack: StackSettings) -> bool:
    """Return True if tokens are verified, but the setting that this needs, issuer or audience, is not given."""
    return value is None and (stack.foundation.identity.auth is Auth.OIDC or stack.meetings.enabled)


def _lacks_time_to_answer(answer_seconds: int, stack: StackSettings) -> bool:
    """Return True if the longest answer of the model, which includes its thinking, takes longer than this."""
    max_tokens = find_traits(stack.livestream.agent.model_id).max_output_tokens(MAX_OUTPUT_TOKENS)
    return answer_seconds < max_tokens // TOKENS_PER_SECOND


def _lacks_time_to_encode(minutes: int, stack: StackSettings) -> bool:
    job = stack.meetings.processing
    return minutes * job.size.vcpus < job.max_hours * ENCODE_MINUTES


def _is_plain_http(url: Any, _: StackSettings) -> bool:
    return url is not None and url.scheme != "https"


def _parse_address(url: Any) -> IPv4Address | IPv6Address | None:
    """Return the IP address in a URL; None if there is no URL, or if its host is a name, which is not resolved here."""
    with suppress(ValueError):
        return ip_address(str(url.host if url else "").strip("[]"))
    return None


def _has_uncertifiable_address(url: Any, _: StackSettings) -> bool:
    """Return True for an https URL with a private address, for which no public authority issues a certificate."""
    address = _parse_address(url)
    return address is not None and url.scheme == "https" and not address.is_global


def _is_outside_network(url: Any, stack: StackSettings) -> bool:
    """Return True if the agent's URL has an address that is not in the network to which the query worker is attached."""
    address, network = _parse_address(url), stack.voice_qa.agentcore.network
    return address is not None and network is not None and address not in IPv4Network(network.cidr)


# fmt: off
CHECKS: tuple[tuple[tuple[Environment, ...], str, object | Callable[[Any, StackSettings], bool], str], ...] = (
    (RELIED_ON, "foundation.identity.auth", Auth.NONE, "must be oidc: none accepts every caller"),
    (ALL, "foundation.identity.issuer", _lacks_tokens, TOKENS_WHY),
    (ALL, "foundation.identity.audience", _lacks_tokens, TOKENS_WHY),
    (ON_AWS, "foundation.identity.issuer", _is_plain_http, HTTPS_WHY),
    (ON_AWS, "foundation.identity.jwksUrl", _is_plain_http, HTTPS_WHY),
    (RELIED_ON, "foundation.alerts.emails", (), "give at least one address, so that someone receives the alarms"),
    (RELIED_ON, "foundation.alerts.warningEmails", (), "give at least one address, or leave it out to use emails"),

    (ALL, "ingestion.manifestBuilder.timeoutSeconds",
     lambda seconds, s: _lacks_time_for_files(seconds, s.ingestion.manifest_builder.memory_mb, s), FILES_WHY),
    (ALL, "ingestion.sweeper.timeoutSeconds",
     lambda seconds, s: _lacks_time_for_files(seconds, s.ingestion.sweeper.memory_mb, s), FILES_WHY),
    (ALL, "ingestion.steps.timeoutSeconds",
     lambda seconds, s: _lacks_time_for_files(seconds, s.ingestion.steps.memory_mb, s), FILES_WHY),
    (ALL, "ingestion.intake.batchWindowSeconds", lambda seconds, s: seconds < 1 and s.ingestion.intake.batch_size > 10,
     "must be at least 1 if batchSize is above 10 (a rule of Lambda)"),
    (ALL, "ingestion.intake.tableRecordDays", lambda days, s: days < s.ingestion.intake.landing_days + ANNOUNCED_DAYS,
     f"must be at least landingDays plus {ANNOUNCED_DAYS}, because a file announced without a record is processed again"),
    (ON_AWS, "ingestion.manifests.flushMinutes", 0, "must be at least 1: 0 starts a Glue run for every batch of files"),
    (PROD, "ingestion.intake.corsOrigin", "*", f"{PAGE_WHY}, or leave it out"),

    (RELIED_ON, "transcription.structuredLogging", False, "must be true: an alarm reads JSON lines"),

    (ON_AWS, "voiceQa.agentcore.endpoint", lambda url, s: url is None and s.voice_qa.agentcore.mode is AgentMode.HTTP,
     "is required with mode http: the URL of the agent"),
    (RELIED_ON, "voiceQa.agentcore.endpoint", _is_plain_http,
     "must be an https URL with a host name, because it carries questions and answers"),
    (ALL, "voiceQa.agentcore.endpoint", _has_uncertifiable_address,
     "is https with a private address, for which no public authority issues certificates: give a host name with one"),
    (ALL, "voiceQa.agentcore.endpoint", _is_outside_network, "is not in network.cidr, so the worker could not reach it"),
    (ALL, "voiceQa.agentcore.network",
     lambda network, s: network and (s.voice_qa.agentcore.mode is AgentMode.BEDROCK or not s.voice_qa.agentcore.endpoint),
     "is only for mode http with an endpoint: give endpoint, or remove network"),
    (ALL, "voiceQa.agentcore.runtimeArn",
     lambda arn, s: arn is None and s.voice_qa.agentcore.mode is AgentMode.BEDROCK, "is required with mode bedrock"),
    (ALL, "voiceQa.agentcore.answerSeconds",
     lambda seconds, s: seconds + ANSWER_MARGIN_SECONDS > s.voice_qa.query_worker.timeout_seconds,
     f"must be at most queryWorker.timeoutSeconds minus {ANSWER_MARGIN_SECONDS}: the worker also stores and sends the answer"),
    (ON_AWS, "voiceQa.queryWorker.reservedConcurrency",
     lambda reserved, s: reserved is not None and reserved > s.voice_qa.alarms.account_concurrency - UNRESERVED_CONCURRENCY,
     f"must leave {UNRESERVED_CONCURRENCY} of alarms.accountConcurrency, or Lambda refuses it: use null until AWS grants more"),
    (PROD, "voiceQa.audio.origins", lambda origins, _: "*" in origins, "give the origins of the pages that may use it"),
    (LOCAL, "voiceQa.audio.accelerated", True, "must be false: the emulator has no edge locations"),
    (RELIED_ON, "voiceQa.lectures.uploads", LectureUploads.GUESTS, "must be off, because everyone can be a guest"),
    (RELIED_ON, "voiceQa.sessions.guestWrites", True, GUEST_WRITES_WHY),

    (PROD, "livestream.api.corsOrigin", "*", PAGE_WHY),
    (RELIED_ON, "livestream.api.authorizer",
     lambda kind, s: kind is AuthorizerKind.NONE and s.foundation.identity.auth is Auth.OIDC,
     "must be jwt: none accepts every caller"),
    (ALL, "livestream.api.authorizer",
     lambda kind, s: kind is AuthorizerKind.JWT and s.foundation.identity.auth is Auth.NONE,
     "must be none if foundation.identity.auth is none"),
    (ALL, "livestream.agent.answerSeconds", _lacks_time_to_answer,
     "is too short for the longest answer of this modelId, which also thinks"),
    (ALL, "livestream.factCheckAgent.timeoutSeconds",
     lambda seconds, s: seconds < 2 * s.livestream.agent.answer_seconds + WINDOW_MARGIN_SECONDS,
     f"must be at least twice agent.answerSeconds plus {WINDOW_MARGIN_SECONDS}, {TWICE_WHY}"),

    (PROD, "meetings.exchange.corsOrigin", "*", PAGE_WHY),
    (ALL, "meetings.processing.maxVcpus", lambda vcpus, s: vcpus < s.meetings.processing.size.vcpus,
     "must be at least the vcpus of one job, otherwise no job starts"),
    (ALL, "meetings.processing.timeoutMinutes", _lacks_time_to_encode,
     f"must be at least maxHours times {ENCODE_MINUTES} / vcpus, the time for encoding"),
    (ALL, "meetings.bedrockSummarize.timeoutSeconds",
     lambda seconds, s: seconds < 2 * s.meetings.models.answer_seconds + SUMMARY_MARGIN_SECONDS,
     f"must be at least twice models.answerSeconds plus {SUMMARY_MARGIN_SECONDS}, {TWICE_WHY}"),

    *((ALL, f"{subsystem}.logLevel", lambda level, _: level in {LogLevel.WARNING, LogLevel.ERROR},
       "must be DEBUG or INFO, because alarms and metrics read log lines of level INFO")
      for subsystem in ("ingestion", "voiceQa", "livestream", "meetings")),
)
# fmt: on
"""Environments of a rule, key, forbidden value (or a function of the value and all settings), and the reason."""


def find_conflicts(stack: StackSettings, name: str) -> Iterator[str]:
    """Yield a line for each forbidden value and each missing secret, except those of disabled subsystems.

    `name` is the stack's name, for the command that sets a secret.
    """
    for environments, key, forbidden, why in CHECKS:
        if stack.environment not in environments or not _is_enabled(stack, key):
            continue
        value = _get_value(stack, key)
        if forbidden(value, stack) if callable(forbidden) else value == forbidden:
            shown = value is not None and not isinstance(value, SettingsModel)
            given = f"given {show_value(value)}; " if shown else ""
            yield f"{key}: {given}{'' if environments == ALL else f'in {stack.environment}, '}{why}"
    for key in SECRETS:
        if _is_enabled(stack, key) and _get_value(stack, key) is None:
            yield f"{key}: is a secret and not set; set it with: {secret_command(key, name)}"


def secret_command(key: str, stack: str) -> str:
    """Return the command that sets a secret, encrypted in the stack file."""
    return f"pulumi config set --secret --path 'polyphony:{key}' --stack {stack}"


def _get_value(stack: StackSettings, key: str) -> Any:
    return reduce(getattr, map(to_snake, key.split(".")), stack)


def _is_enabled(stack: StackSettings, key: str) -> bool:
    return getattr(_get_value(stack, key.partition(".")[0]), "enabled", True)
