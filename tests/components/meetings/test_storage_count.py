"""Tests of the storage count: its schedule, limits and dead-letter queue."""

import json

from tests.components.deployment_harness import arn, variables
from tests.components.meetings.recorded_deployment import BUCKET, PREFIX, changed_preview, deployed


def test_the_schedule_calls_the_function_and_failed_calls_go_to_a_dead_letter_queue() -> None:
    schedule = deployed().one("scheduler.Schedule", "meetings-storage-schedule").inputs
    assert schedule["scheduleExpression"] == "cron(0 2 * * ? *)"
    target = schedule["target"]
    assert target["arn"] == arn("lambda", f"function:{PREFIX}-storage:live")
    assert json.loads(target["input"]) == {"kind": "storage"}
    assert target["deadLetterConfig"]["arn"].endswith(f"{PREFIX}-storage-schedule-dlq")
    config = deployed().one("lambda.FunctionEventInvokeConfig", "meetings-storage").inputs
    assert config["destinationConfig"]["onFailure"]["destination"].endswith(f"{PREFIX}-care-failures")


def test_the_number_of_users_with_a_metric_and_the_timeout_of_the_count_are_settings() -> None:
    environment = variables(changed_preview(), "meetings-storage-function")
    assert (environment["MAX_USERS"], environment["COUNT_SECONDS"]) == ("13", "70")
    assert (environment["STACK"], environment["BUCKET_NAME"]) == ("polyphony-test", BUCKET)
