"""Whom the policy of access logs excuses: the bucket that the logs are for, also while no other bucket is there."""

from guardrails import types as t
from tests.policies.harness import Thing, ask, of_things, policies, surroundings
from tests.policies.specs.documents import document

POLICY = "bucket-access-logged"
WHERE = surroundings("prod")


def takes_logs(bucket: str, effect: str = "Allow") -> Thing:
    statement = {"Effect": effect, "Principal": {"Service": "logging.s3.amazonaws.com"}, "Action": "s3:PutObject"}
    return Thing(t.BUCKET_POLICY, {"bucket": bucket, "policy": document(statement)}, f"{bucket}-policy")


def bucket(name: str) -> Thing:
    return Thing(t.BUCKET, {"bucket": name}, name)


def logs_into(name: str, target: str) -> Thing:
    return Thing(t.BUCKET_LOGGING, {"bucket": name, "targetBucket": target}, f"{name}-logging")


def found(*things: Thing) -> set[str]:
    return {one.name for one in ask([policies(WHERE)[POLICY]], of_things(things), WHERE)}


def test_a_stack_in_which_nothing_is_on_may_be_deployed() -> None:
    assert found(bucket("audit"), takes_logs("audit")) == set()


def test_a_bucket_that_may_not_take_logs_is_no_bucket_for_them() -> None:
    assert found(bucket("audit"), takes_logs("audit", "Deny")) == {"audit"}


def test_once_there_are_logs_only_their_own_bucket_is_excused() -> None:
    assert found(
        bucket("landing"), logs_into("landing", "audit"), bucket("audit"), bucket("other"), takes_logs("other")
    ) == {"other"}
