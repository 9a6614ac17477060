"""Switches off features of the emulator whose results are wrong: Athena's queries and the evaluation of alarms."""

from collections.abc import Mapping
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import athena, cloudwatch

from local.emulation import Correction, wrap_function

CORRECTIONS = (
    Correction(
        "athena_query",
        service="Athena",
        emulator="answers each query with an invented row, because DuckDB is not installed",
        aws="reads the data",
        needed_for="a wrong row misleads; here, queries are refused, and `make console` shows rows",
    ),
    Correction(
        "alarm_evaluation",
        service="CloudWatch",
        emulator="ignores the dimensions of an alarm, missing data and periods",
        aws="considers them",
        needed_for="a false alarm would end a rollout; here, only `SetAlarmState` changes an alarm",
    ),
)
MESSAGE = "The local platform has no Athena. To see the rows of an ingested file, open the page of `make console`."


def install() -> None:
    wrap_function(athena, "_start_query_execution", _refuse_query)
    wrap_function(cloudwatch, "_evaluate_alarm", lambda _original, _alarm: None)


def _refuse_query(_original: object, _request: Mapping[str, Any]) -> Any:
    return error_response_json("InvalidRequestException", MESSAGE)
