"""Which of a bucket's separate resources belong to it: S3 keeps its settings apart, and policies need them together."""

from collections.abc import Iterator

from guardrails.record import Judged, Props, Stack


def of_bucket(bucket: Judged, stack: Stack, kind: str) -> Iterator[Judged]:
    """The resources of one type that set something on a bucket."""
    for one in stack.of(kind):
        references = one.references.get("bucket", ())
        if bucket in references or (not references and one.props.get("bucket") == bucket.props.get("bucket")):
            yield one


def lifecycle_rules(configuration: Judged) -> list[Props]:
    """The rules that are in force."""
    return [rule for rule in configuration.props.get("rules") or () if rule.get("status") == "Enabled"]


def covers_all(rule: Props) -> bool:
    """Whether a lifecycle rule is for the whole bucket."""
    chosen = rule.get("filter") or {}
    return not any(chosen.get(key) for key in chosen) and not rule.get("prefix")
