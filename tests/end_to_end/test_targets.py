"""What rules and schedules call, who lets them, and where what cannot be delivered lands; calls that nobody waits for."""

import contextlib
import errno
import io
import json
import os
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local import emulator
from local.aws import EmulatorClients
from local.flows import eventually
from local.preview_provider import ACCOUNT, REGION
from tests.end_to_end.machines import grant, make_role, statement

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("targets")]

CODE = """
def handler(event, context):
    if pipe := event.get("waits_for"):
        return open(pipe).read()
    raise ValueError("as asked")
"""
RULE = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/rule"
SQS = f"arn:aws:sqs:{REGION}:{ACCOUNT}"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:failing"
GROUP = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule-group/default"
SOURCE = {"StringEquals": {"aws:SourceAccount": ACCOUNT}, "ArnLike": {"aws:SourceArn": GROUP}}
NOW = "at(2020-01-01T00:00:00)"
"""A schedule whose moment has passed is due at once."""


@dataclass
class Site:
    """Queues, a function behind an alias that always fails, and roles."""

    clients: EmulatorClients

    def allow(self, name: str, source: str | None = RULE) -> None:
        """Lets EventBridge into a queue, for one rule; or nobody."""
        one = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
        secure = {"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": f"{SQS}:{name}"}
        only_tls = {**secure, "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
        allowed = {**one, "Resource": f"{SQS}:{name}", "Condition": {"ArnEquals": {"aws:SourceArn": source}}}
        policy = json.dumps({"Statement": [only_tls, *([allowed] if source else [])]})
        self.clients("sqs").set_queue_attributes(QueueUrl=self.url(name), Attributes={"Policy": policy})

    def url(self, name: str) -> str:
        """Of a queue."""
        return str(self.clients("sqs").get_queue_url(QueueName=name)["QueueUrl"])

    def send(self, target: str, **more: Any) -> None:
        """Has the rule call a target."""
        events = self.clients("events")
        dead = {"DeadLetterConfig": {"Arn": f"{SQS}:dead"}}
        events.put_rule(Name="rule", EventPattern=json.dumps({"source": ["test"]}))
        events.put_targets(Rule="rule", Targets=[{"Id": "one", "Arn": target, **dead, **more}])
        events.put_events(Entries=[{"Source": "test", "DetailType": "asked", "Detail": '{"n": 1}'}])

    def schedule(self, name: str, target: str, role: str, **more: Any) -> None:
        """Has a schedule call a target, once."""
        dead = {"DeadLetterConfig": {"Arn": f"{SQS}:dead"}}
        self.clients("scheduler").create_schedule(
            Name=name,
            ScheduleExpression=NOW,
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": target, "RoleArn": role, "Input": '{"asked": true}', **dead, **more},
        )

    def message(self, name: str) -> dict[str, Any]:
        """The next message of a queue."""
        [one] = eventually(
            lambda: (
                self.clients("sqs")
                .receive_message(QueueUrl=self.url(name), MessageAttributeNames=["All"])
                .get("Messages")
            ),
            f"a message in {name}",
        )
        self.clients("sqs").delete_message(QueueUrl=self.url(name), ReceiptHandle=one["ReceiptHandle"])
        said = {key: value["StringValue"] for key, value in one.get("MessageAttributes", {}).items()}
        return {"body": json.loads(one["Body"]), **said}

    def permit(self, source: str, service: str = "events.amazonaws.com") -> None:
        """Lets a service call the function's alias."""
        lambda_ = self.clients("lambda")
        with contextlib.suppress(lambda_.exceptions.ResourceNotFoundException):
            lambda_.remove_permission(FunctionName="failing", StatementId="one", Qualifier="live")
        lambda_.add_permission(
            FunctionName="failing",
            Qualifier="live",
            StatementId="one",
            Action="lambda:InvokeFunction",
            Principal=service,
            SourceArn=source,
            SourceAccount=ACCOUNT,
        )


@dataclass
class Held:
    """A call that runs until it is let go."""

    pipe: Path

    @property
    def event(self) -> bytes:
        return json.dumps({"waits_for": str(self.pipe)}).encode()

    def writer(self) -> int | None:
        """The pipe's end; nothing as long as nobody reads, because the call does not run."""
        try:
            return os.open(self.pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            return None

    def let_go(self) -> None:
        os.close(eventually(self.writer, "a call that runs"))


@pytest.fixture
def held(tmp_path: Path) -> Callable[[str], Held]:
    def make(name: str) -> Held:
        os.mkfifo(tmp_path / name)
        return Held(tmp_path / name)

    return make


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with emulator.start(tmp_path_factory.mktemp("targets")) as started:
        one = Site(EmulatorClients(started.emulator.endpoint))
        for name in ("heard", "dead", "of-the-alias", "of-the-function"):
            one.clients("sqs").create_queue(QueueName=name)
        one.clients("sns").create_topic(Name="topic")
        role = make_role(one.clients, "function", "lambda.amazonaws.com")
        grant(one.clients, "function", [statement("sqs:SendMessage", f"{SQS}:*")])
        make_role(one.clients, "schedule", "scheduler.amazonaws.com", SOURCE)
        zipped = io.BytesIO()
        with zipfile.ZipFile(zipped, "w") as archive:
            archive.writestr("failing.py", CODE)
        lambda_ = one.clients("lambda")
        lambda_.create_function(
            FunctionName="failing",
            Runtime="python3.13",
            Role=role,
            Handler="failing.handler",
            Code={"ZipFile": zipped.getvalue()},
            Publish=True,
        )
        lambda_.create_alias(FunctionName="failing", Name="live", FunctionVersion="1")
        for name, qualifier in (("of-the-alias", "live"), ("of-the-function", "$LATEST")):
            lambda_.put_function_event_invoke_config(
                FunctionName="failing",
                Qualifier=qualifier,
                MaximumRetryAttempts=0,
                DestinationConfig={"OnFailure": {"Destination": f"{SQS}:{name}"}},
            )
        yield one


@pytest.fixture(autouse=True)
def _nothing_refused() -> None:
    """Not the platform's: this site has an emulator of its own, and targets that let nobody in."""


@pytest.fixture(autouse=True)
def _as_granted(site: Site) -> None:
    site.allow("heard")
    site.allow("dead")
    grant(
        site.clients,
        "schedule",
        [statement("lambda:InvokeFunction", f"{FUNCTION}:live"), statement("sqs:SendMessage", f"{SQS}:*")],
    )


def test_an_event_reaches_a_queue_that_lets_its_rule_in(site: Site) -> None:
    site.send(f"{SQS}:heard")
    assert site.message("heard")["body"]["detail"] == {"n": 1}


@pytest.mark.parametrize("source", [None, f"{RULE}-of-others"])
def test_an_event_for_a_queue_that_does_not_is_parked_with_the_reason(site: Site, source: str | None) -> None:
    site.allow("heard", source)
    site.send(f"{SQS}:heard")
    parked = site.message("dead")
    assert parked["body"]["detail"] == {"n": 1}
    assert (parked["RULE_ARN"], parked["TARGET_ARN"]) == (RULE, f"{SQS}:heard")
    assert parked["ERROR_CODE"] == "NO_PERMISSIONS"
    assert "sqs:SendMessage" in parked["ERROR_MESSAGE"]


@pytest.mark.parametrize("target", [f"{SQS}:nowhere", f"{FUNCTION}:gone", f"arn:aws:sns:{REGION}:{ACCOUNT}:nowhere"])
def test_an_event_for_what_is_not_there_is_parked(site: Site, target: str) -> None:
    site.send(target)
    assert site.message("dead")["ERROR_CODE"] == "NO_RESOURCE"


def test_a_function_is_called_only_where_it_lets_the_rule_in(site: Site) -> None:
    site.permit(f"{RULE}-of-others")
    site.send(f"{FUNCTION}:live")
    assert site.message("dead")["ERROR_CODE"] == "NO_PERMISSIONS"
    site.permit(RULE)
    site.send(f"{FUNCTION}:live")
    assert site.message("of-the-alias")["body"]["responsePayload"]["errorType"] == "ValueError"


def test_a_workflow_is_started_in_the_role_of_its_target(site: Site) -> None:
    machine = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:workflow"
    role = make_role(site.clients, "machine", "states.amazonaws.com")
    starter = make_role(site.clients, "starter", "events.amazonaws.com", {"ArnLike": {"aws:SourceArn": RULE}})
    states = site.clients("stepfunctions")
    definition = json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}})
    states.create_state_machine(name="workflow", definition=definition, roleArn=role)
    for wrong in ({}, {"RoleArn": role}, {"RoleArn": starter}):
        site.send(machine, **wrong)
        assert site.message("dead")["ERROR_CODE"] == "NO_PERMISSIONS"
    grant(site.clients, "starter", [statement("states:StartExecution", machine)])
    site.send(machine, RoleArn=starter)
    assert len(states.list_executions(stateMachineArn=machine)["executions"]) == 1


def test_what_nobody_takes_is_lost_and_does_not_stop_the_others(site: Site) -> None:
    site.allow("dead", None)
    site.allow("heard", None)
    site.send(f"{SQS}:heard")
    site.allow("heard")
    site.send(f"{SQS}:heard")
    assert site.message("heard")["body"]["detail"] == {"n": 1}
    assert "Messages" not in site.clients("sqs").receive_message(QueueUrl=site.url("dead"))


def test_a_schedule_calls_in_its_roles_name(site: Site) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/schedule"
    site.schedule("granted", f"{FUNCTION}:live", role)
    assert site.message("of-the-alias")["body"]["requestPayload"] == {"asked": True}
    grant(site.clients, "schedule", [statement("sqs:SendMessage", f"{SQS}:dead")])
    site.schedule("refused", f"{FUNCTION}:live", role)
    parked = site.message("dead")
    assert (parked["body"], parked["ERROR_CODE"]) == ({"asked": True}, "NO_PERMISSIONS")
    assert parked["SCHEDULE_ARN"] == f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/refused"


def test_a_schedule_needs_a_role_that_trusts_it(site: Site) -> None:
    with pytest.raises(ClientError, match="must allow AWS EventBridge Scheduler to assume the role"):
        site.schedule("wrong", f"{FUNCTION}:live", f"arn:aws:iam::{ACCOUNT}:role/function")
    other = make_role(
        site.clients, "other-group", "scheduler.amazonaws.com", {"ArnLike": {"aws:SourceArn": f"{GROUP}-of-others"}}
    )
    with pytest.raises(ClientError, match="must allow AWS EventBridge Scheduler to assume the role"):
        site.schedule("wrong", f"{FUNCTION}:live", other)


def test_functions_workflows_and_jobs_need_roles_that_trust_them(site: Site) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/schedule"
    with pytest.raises(ClientError, match="cannot be assumed by Lambda"):
        site.clients("lambda").update_function_configuration(FunctionName="failing", Role=role)
    definition = json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}})
    with pytest.raises(ClientError, match="is authorized to assume the role"):
        site.clients("stepfunctions").create_state_machine(name="wrong", definition=definition, roleArn=role)
    command = {"Name": "glueetl", "ScriptLocation": "s3://bucket/job.py"}
    with pytest.raises(ClientError, match="assume role permissions for Glue"):
        site.clients("glue").create_job(Name="wrong", Role=role, Command=command)
    with pytest.raises(ClientError, match="cannot be assumed by Lambda"):
        site.clients("lambda").create_function(
            FunctionName="wrong", Runtime="python3.13", Role=f"{role}-nobody", Handler="x.y", Code={"ZipFile": b""}
        )


@pytest.mark.parametrize(("qualifier", "queue"), [("live", "of-the-alias"), (None, "of-the-function")])
def test_a_call_that_nobody_waits_for_goes_by_the_settings_of_what_was_called(
    site: Site, qualifier: str | None, queue: str
) -> None:
    named = {"Qualifier": qualifier} if qualifier else {}
    site.clients("lambda").invoke(FunctionName="failing", InvocationType="Event", Payload=b'{"n": 2}', **named)
    assert site.message(queue)["body"]["requestPayload"] == {"n": 2}
    other = ({"of-the-alias", "of-the-function"} - {queue}).pop()
    assert "Messages" not in site.clients("sqs").receive_message(QueueUrl=site.url(other))


@pytest.fixture
def reserve(site: Site) -> Iterator[Callable[[int], None]]:
    """Reserves places for the function, as many as are named; none are when the test is over."""
    lambda_ = site.clients("lambda")
    yield lambda places: lambda_.put_function_concurrency(FunctionName="failing", ReservedConcurrentExecutions=places)
    lambda_.delete_function_concurrency(FunctionName="failing")


def test_a_call_that_nobody_waits_for_is_kept_until_there_is_a_place(
    site: Site, reserve: Callable[[int], None], held: Callable[[str], Held]
) -> None:
    lambda_ = site.clients("lambda")
    first, second = held("first"), held("second")
    reserve(1)
    lambda_.invoke(FunctionName="failing", Qualifier="live", InvocationType="Event", Payload=first.event)
    running = eventually(first.writer, "the first call")
    lambda_.invoke(FunctionName="failing", Qualifier="live", InvocationType="Event", Payload=second.event)
    with pytest.raises(lambda_.exceptions.TooManyRequestsException):
        lambda_.invoke(FunctionName="failing", Qualifier="live", Payload=b"{}")
    assert second.writer() is None
    os.close(running)
    second.let_go()
    assert "Messages" not in site.clients("sqs").receive_message(QueueUrl=site.url("of-the-alias")), "none has failed"


def test_where_no_place_is_left_to_a_function_its_calls_fail_at_once(
    site: Site, reserve: Callable[[int], None]
) -> None:
    reserve(0)
    lambda_ = site.clients("lambda")
    with pytest.raises(lambda_.exceptions.TooManyRequestsException):
        lambda_.invoke(FunctionName="failing", Qualifier="live", Payload=b"{}")
    lambda_.invoke(FunctionName="failing", Qualifier="live", InvocationType="Event", Payload=b'{"n": 3}')
    assert site.message("of-the-alias")["body"]["requestPayload"] == {"n": 3}
