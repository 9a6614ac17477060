"""Jobs of AWS Batch in a workflow: real processes with their role's rights, retries as defined, interruptions as told."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local import emulator
from local.aws import EmulatorClients
from local.flows import eventually
from local.iam.decisions import Decision, read
from local.iam.evaluator import Verdict
from local.patches.batch_attempts import EXITED, RECLAIMED
from local.patches.batch_containers import MORE
from local.patches.batch_faults import Fault, tell
from local.preview_provider import ACCOUNT, REGION
from tests.end_to_end.machines import ended, grant, make_role, start, statement

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("batch")]

PROGRAM = """
import os, signal, subprocess, sys

match sys.argv[1]:
    case "exit":
        print("canary-of-the-job", os.environ["AWS_BATCH_JOB_ATTEMPT"], flush=True)
        sys.exit(int(sys.argv[2]))
    case "wait":
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # or it could come just before it is waited for
        print("started", flush=True)
        signal.sigwait([signal.SIGTERM])
        print("stopping", flush=True)
        sys.exit(int(sys.argv[2]))
    case "write":
        import boto3
        version = subprocess.run(["ffmpeg", "-version"], capture_output=True, text=True, check=True).stdout.split()[0]
        told = " ".join([version, os.environ["SAID"], os.environ["AWS_BATCH_JQ_NAME"], os.environ["MANAGED_BY_AWS"]])
        boto3.client("s3").put_object(Bucket="made", Key=sys.argv[2], Body=told.encode())
"""
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/test-program@sha256:{'0' * 64}"
GROUP = "/aws/batch/test"
BATCH = f"arn:aws:batch:{REGION}:{ACCOUNT}"
RULE = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/StepFunctionsGetEventsForBatchJobsRule"
PULL = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]


GRANTS: dict[str, list[dict[str, Any]]] = {
    "machine": [
        statement("batch:SubmitJob", [f"{BATCH}:job-definition/program:*", f"{BATCH}:job-queue/*"]),
        statement("batch:DescribeJobs", "*"),
        statement("batch:TerminateJob", f"{BATCH}:job/*"),
        statement(["events:PutRule", "events:PutTargets", "events:DescribeRule"], RULE),
    ],
    "execution": [
        statement("ecr:GetAuthorizationToken", "*"),
        statement(PULL, f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/test-program"),
        statement(
            ["logs:CreateLogStream", "logs:PutLogEvents"], f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{GROUP}:*"
        ),
    ],
    "job": [statement("s3:PutObject", "arn:aws:s3:::made/allowed/*")],
}
SERVICES = {"machine": "states.amazonaws.com", "execution": "ecs-tasks.amazonaws.com", "job": "ecs-tasks.amazonaws.com"}
STRATEGY = {
    "attempts": 3,
    "evaluateOnExit": [
        {"onStatusReason": "Your Spot Task was interrupted*", "action": "RETRY"},
        {"onExitCode": "75", "action": "retry"},
        {"onReason": "*", "action": "EXIT"},
    ],
}


@dataclass
class Site:
    """Queues, a program and a workflow that submits it."""

    folder: Path
    clients: EmulatorClients

    def role(self, name: str, without: str = "") -> None:
        """Grants a role what it has, perhaps with an action less."""
        grant(self.clients, name, GRANTS[name], without)

    def run(self, *arguments: str, **more: Any) -> dict[str, Any]:
        """Runs the workflow; the job as its state gets it, or the error and the job behind it."""
        told = ended(self.clients, self.start(*arguments, **more))
        if "Error" not in told:
            return told
        cause = told.get("Cause", "")
        return {"error": told["Error"], "job": json.loads(cause) if cause.startswith("{") else cause}

    def start(self, *arguments: str, queue: str = "spot", timeout: int = 60, **more: Any) -> str:
        """Starts the workflow; the execution."""
        given = {
            "JobName": "job",
            "JobQueue": f"{BATCH}:job-queue/{queue}",
            "JobDefinition": f"{BATCH}:job-definition/program",
            "ContainerOverrides": {"Command": [*arguments], "Environment": [{"Name": "SAID", "Value": "said"}]},
            **more,
        }
        run = {
            "Type": "Task",
            "Resource": "arn:aws:states:::batch:submitJob.sync",
            "Arguments": given,
            "TimeoutSeconds": timeout,
            "Catch": [{"ErrorEquals": ["States.ALL"], "Output": "{% $states.errorOutput %}", "Next": "End"}],
            "Next": "End",
        }
        return start(self.clients, "Run", {"Run": run, "End": {"Type": "Succeed"}})

    def logged(self, job: dict[str, Any]) -> list[str]:
        """What the last attempt of a job said."""
        where = {"logGroupName": GROUP, "logStreamName": job["Container"]["LogStreamName"]}
        return [one["message"] for one in self.clients("logs").get_log_events(**where)["events"]]

    def ended(self, name: str) -> dict[str, Any] | None:
        """The job of this name, when it has ended."""
        batch = self.clients("batch")
        jobs = [one["jobId"] for one in batch.list_jobs(jobQueue="spot")["jobSummaryList"] if one["jobName"] == name]
        [job] = batch.describe_jobs(jobs=jobs)["jobs"]
        return dict(job) if job["status"] in {"SUCCEEDED", "FAILED"} else None

    def running(self, name: str) -> str | None:
        """The id of the job of this name, when it runs."""
        jobs = self.clients("batch").list_jobs(jobQueue="spot", jobStatus="RUNNING")["jobSummaryList"]
        return next((one["jobId"] for one in jobs if one["jobName"] == name), None)

    def decisions(self) -> list[Decision]:
        """What IAM was asked, and said."""
        return read(self.folder)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("batch")
    program = folder / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    with emulator.start(folder) as started:
        one = Site(folder, EmulatorClients(started.emulator.endpoint))
        (folder / MORE).write_text(json.dumps({"program": {"module": "program", "packages": [str(program)]}}))
        batch = one.clients("batch")
        for name, service in SERVICES.items():
            make_role(one.clients, name, service)
            one.role(name)
        one.clients("s3").create_bucket(Bucket="made")
        one.clients("ecr").create_repository(repositoryName="test-program")
        one.clients("logs").create_log_group(logGroupName=GROUP)
        for name, kind in (("spot", "FARGATE_SPOT"), ("on-demand", "FARGATE")):
            resources = {"type": kind, "maxvCpus": 4, "subnets": ["subnet-1"], "securityGroupIds": ["sg-1"]}
            batch.create_compute_environment(
                computeEnvironmentName=name, type="MANAGED", state="ENABLED", computeResources=resources
            )
            limit = {
                "reason": "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY",
                "state": "RUNNABLE",
                "maxTimeSeconds": 600,
                "action": "CANCEL",
            }
            batch.create_job_queue(
                jobQueueName=name,
                priority=1,
                computeEnvironmentOrder=[{"order": 1, "computeEnvironment": name}],
                jobStateTimeLimitActions=[limit],
            )
        batch.register_job_definition(
            jobDefinitionName="program",
            type="container",
            platformCapabilities=["FARGATE"],
            retryStrategy=STRATEGY,
            timeout={"attemptDurationSeconds": 60},
            containerProperties={
                "image": IMAGE,
                "jobRoleArn": f"arn:aws:iam::{ACCOUNT}:role/job",
                "executionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/execution",
                "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "2048"}],
                "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": GROUP}},
            },
        )
        yield one


@pytest.fixture(autouse=True)
def _nothing_refused() -> None:
    """Not the platform's: this site has an emulator of its own, and roles without their grants."""


@pytest.fixture(autouse=True)
def _as_granted(site: Site) -> None:
    tell(site.folder, {})
    for name in GRANTS:
        site.role(name)


def test_a_job_runs_with_its_role_and_its_state_gets_it_as_step_functions_tells_it(site: Site) -> None:
    job = site.run("write", "allowed/one")
    assert (job["Status"], job["StatusReason"]) == ("SUCCEEDED", EXITED)
    assert job["JobDefinition"] == f"{BATCH}:job-definition/program:1"
    assert job["Container"]["Command"] == ["write", "allowed/one"]
    assert [one["Container"]["ExitCode"] for one in job["Attempts"]] == [0]
    made = site.clients("s3").get_object(Bucket="made", Key="allowed/one")["Body"].read().decode()
    assert made == "ffmpeg said spot STARTED_BY_STEP_FUNCTIONS"
    [described] = site.clients("batch").describe_jobs(jobs=[job["JobId"]])["jobs"]
    assert (described["status"], described["attempts"][0]["container"]["exitCode"]) == ("SUCCEEDED", 0)


def test_a_job_may_do_what_its_role_may(site: Site) -> None:
    told = site.run("write", "forbidden/one")
    assert told["error"] == "States.TaskFailed"
    assert told["job"]["Attempts"][0]["Container"]["ExitCode"] == 1
    refused = {(one.role, one.action) for one in site.decisions() if one.verdict is not Verdict.ALLOW}
    assert ("job", "s3:PutObject") in refused


def test_a_failed_job_fails_its_task_with_the_job_as_cause(site: Site) -> None:
    told = site.run("exit", "3")
    assert told["error"] == "States.TaskFailed"
    job = told["job"]
    assert (job["Status"], job["StatusReason"]) == ("FAILED", EXITED)
    assert len(job["Attempts"]) == 1, "the last entry of the strategy ends it"
    assert site.logged(job) == ["canary-of-the-job 1"]
    assert "canary-of-the-job 1" in (site.folder / "batch.log").read_text()


def test_the_bus_hears_of_a_failed_job(site: Site) -> None:
    sqs, events, arn = site.clients("sqs"), site.clients("events"), f"arn:aws:sqs:{REGION}:{ACCOUNT}:heard"
    sender = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = json.dumps({"Statement": [{**sender, "Resource": arn}]})
    url = sqs.create_queue(QueueName="heard", Attributes={"Policy": policy})["QueueUrl"]
    pattern = {"source": ["aws.batch"], "detail": {"status": ["FAILED"], "jobQueue": [f"{BATCH}:job-queue/spot"]}}
    events.put_rule(Name="failed", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="failed", Targets=[{"Id": "heard", "Arn": arn}])
    job = site.run("exit", "3")["job"]
    [message] = eventually(lambda: sqs.receive_message(QueueUrl=url).get("Messages"), "the event")
    event = json.loads(message["Body"])
    assert (event["detail-type"], event["detail"]["jobId"]) == ("Batch Job State Change", job["JobId"])
    events.remove_targets(Rule="failed", Ids=["heard"])


def test_an_exit_code_that_the_strategy_names_is_tried_again_up_to_its_attempts(site: Site) -> None:
    job = site.run("exit", "75")["job"]
    assert [one["Container"]["ExitCode"] for one in job["Attempts"]] == [75, 75, 75]
    assert site.logged(job) == ["canary-of-the-job 3"]
    assert len({one["Container"]["LogStreamName"] for one in job["Attempts"]}) == 3


def test_a_reclaimed_job_is_told_to_stop_and_tried_again_until_it_is_let_be(site: Site) -> None:
    tell(site.folder, {"spot": Fault(reclaimed=3)})
    job = site.run("wait", "143")["job"]
    assert [one["StatusReason"] for one in job["Attempts"]] == [RECLAIMED] * 3
    assert [one["Container"]["ExitCode"] for one in job["Attempts"]] == [143] * 3
    assert site.logged(job) == ["started", "stopping"]
    tell(site.folder, {"spot": Fault(reclaimed=1)})
    job = site.run("exit", "0")
    assert job["Status"] == "SUCCEEDED"


def test_a_job_that_ends_with_0_when_it_is_reclaimed_is_done_and_not_tried_again(site: Site) -> None:
    """Observed on AWS: the strategy is asked about failures alone."""
    tell(site.folder, {"spot": Fault(reclaimed=1, at="started")})
    job = site.run("wait", "0")
    assert (job["Status"], job["StatusReason"], len(job["Attempts"])) == ("SUCCEEDED", RECLAIMED, 1)


def test_a_machine_that_is_paid_for_is_not_taken_away(site: Site) -> None:
    tell(site.folder, {"on-demand": Fault(reclaimed=1)})
    assert site.run("exit", "0", queue="on-demand")["Status"] == "SUCCEEDED"


def test_without_capacity_a_task_runs_into_its_timeout_and_the_job_is_terminated(site: Site) -> None:
    tell(site.folder, {"spot": Fault(no_capacity=True)})
    assert site.run("exit", "0", timeout=3600, JobName="without-capacity")["error"] == "States.Timeout", (
        "without an hour's wait"
    )
    job = eventually(lambda: site.ended("without-capacity"), "the job's end")
    assert "which was managing this resource was aborted" in job["statusReason"]
    assert job["attempts"] == []


def test_without_capacity_that_batch_detects_the_queues_time_limit_ends_the_job(site: Site) -> None:
    tell(site.folder, {"spot": Fault(no_capacity=True, detected=True)})
    told = site.run("exit", "0")
    assert told["error"] == "States.TaskFailed"
    assert told["job"]["StatusReason"].startswith("Canceled by JobStateTimeLimit action")


def test_a_job_whose_execution_is_stopped_is_terminated(site: Site) -> None:
    arn = site.start("wait", "1", JobName="stopped")
    eventually(lambda: site.running("stopped"), "the job")
    site.clients("stepfunctions").stop_execution(executionArn=arn)
    job = eventually(lambda: site.ended("stopped"), "its end")
    assert arn in job["statusReason"]
    assert job["attempts"][0]["container"]["exitCode"] != 0


def test_a_job_that_somebody_terminates_is_not_tried_again(site: Site) -> None:
    site.clients("batch").submit_job(
        jobName="by-hand",
        jobQueue="spot",
        jobDefinition="program:1",
        containerOverrides={"command": ["wait", "75"]},
    )
    job_id = eventually(lambda: site.running("by-hand"), "the job")
    site.clients("batch").terminate_job(jobId=job_id, reason="enough")
    job = eventually(lambda: site.ended("by-hand"), "its end")
    assert (job["statusReason"], len(job["attempts"])) == ("enough", 1)


def test_a_job_without_a_machine_can_be_cancelled_and_one_that_has_one_goes_on(site: Site) -> None:
    batch = site.clients("batch")
    definition = {"jobQueue": "spot", "jobDefinition": "program"}
    runs = batch.submit_job(jobName="has-one", **definition, containerOverrides={"command": ["wait", "0"]})["jobId"]
    eventually(lambda: site.running("has-one"), "the job")
    tell(site.folder, {"spot": Fault(no_capacity=True)})
    waits = batch.submit_job(jobName="has-none", **definition, containerOverrides={"command": ["exit", "0"]})["jobId"]
    for job in (runs, waits):
        batch.cancel_job(jobId=job, reason="no longer")
    cancelled = eventually(lambda: site.ended("has-none"), "its end")
    assert (cancelled["status"], cancelled["statusReason"], cancelled["attempts"]) == ("FAILED", "no longer", [])
    assert site.running("has-one") == runs
    batch.terminate_job(jobId=runs, reason="enough")
    assert eventually(lambda: site.ended("has-one"), "its end")["statusReason"] == "enough"


def test_jobs_are_found_by_name_in_whatever_state(site: Site) -> None:
    batch = site.clients("batch")
    tell(site.folder, {"spot": Fault(no_capacity=True)})
    submitted = [
        batch.submit_job(
            jobName=name, jobQueue="spot", jobDefinition="program", containerOverrides={"command": ["exit", "0"]}
        )["jobId"]
        for name in ("Found-A", "Found-B")
    ]

    def named(value: str, queue: str = "spot") -> set[str]:
        filters: Any = [{"name": "JOB_NAME", "values": [value]}]
        return {one["jobId"] for one in batch.list_jobs(jobQueue=queue, filters=filters)["jobSummaryList"]}

    assert (named("found-a"), named("found-*")) == ({submitted[0]}, set(submitted))
    assert (named("found"), named("found-a", "on-demand")) == (set(), set())
    for job in submitted:
        batch.terminate_job(jobId=job, reason="enough")
    eventually(lambda: site.ended("Found-B"), "its end")
    assert named("found-*") == set(submitted)
    with pytest.raises(ClientError, match="Only the filter JOB_NAME"):
        batch.list_jobs(jobQueue="spot", filters=[{"name": "JOB_DEFINITION", "values": ["program"]}])


@pytest.mark.parametrize("action", ["batch:SubmitJob", "batch:DescribeJobs"])
def test_a_machine_that_may_not_submit_fails_its_task(site: Site, action: str) -> None:
    site.role("machine", without=action)
    assert site.run("exit", "0", JobName="refused")["error"] == "States.TaskFailed"
    refused = {(one.role, one.action) for one in site.decisions() if one.verdict is not Verdict.ALLOW}
    assert ("machine", action) in refused


def test_a_machine_that_may_not_have_its_rule_cannot_be_made(site: Site) -> None:
    """On AWS too: whoever makes it before its grants meets this."""
    site.role("machine", without="events:PutRule")
    with pytest.raises(ClientError, match="is not authorized to create managed-rule"):
        site.start("exit", "0")


@pytest.mark.parametrize("action", ["ecr:GetAuthorizationToken", "ecr:BatchGetImage", "logs:PutLogEvents"])
def test_without_its_execution_role_a_container_does_not_start(site: Site, action: str) -> None:
    site.role("execution", without=action)
    job = site.run("exit", "0")["job"]
    assert job["StatusReason"].startswith("ResourceInitializationError: ")
    assert action in job["StatusReason"]
    assert "ExitCode" not in job["Container"]


@pytest.mark.parametrize("given", [{"JobDefinition": "nobody"}, {"JobQueue": "nowhere"}, {"JobName": "with spaces"}])
def test_what_batch_does_not_take_fails_the_task(site: Site, given: dict[str, Any]) -> None:
    grant(site.clients, "machine", [statement("batch:SubmitJob", "*"), *GRANTS["machine"]])
    assert site.run("exit", "0", **given)["error"] == "Batch.ClientException"


def test_parameters_are_in_pascal_case(site: Site) -> None:
    told = site.run("exit", "0", timeout=60, priority=1)
    assert told["error"] == "States.Runtime"
    assert "The field 'priority' is not supported" in told["job"]
