"""Switches off features of the emulator, MiniStack, whose results are wrong: Athena's queries, the evaluation of alarms.

| correction | service | ministack | AWS | needed for |
|---|---|---|---|---|
| `athena_query` | Athena | answers each query with an invented row, because DuckDB is not installed | reads the data | a wrong row misleads; here, queries are refused, and `make console` shows rows |
| `alarm_evaluation` | CloudWatch | ignores the dimensions of an alarm, missing data and periods | considers them | a false alarm would end a rollout; here, only `SetAlarmState` changes an alarm |
"""

from collections.abc import Mapping
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import athena, cloudwatch

from local.emulation import wrap_function

MESSAGE = "The local platform has no Athena. To see the rows of an ingested file, open the page of `make console`."


def install() -> None:
    """Replace functions of the emulator by those below, which get the original. `extended_emulator.py` calls this."""
    wrap_function(athena, "_start_query_execution", _refuse_query)
    wrap_function(cloudwatch, "_evaluate_alarm", lambda _original, _alarm: None)


def _refuse_query(_original: object, _request: Mapping[str, Any]) -> Any:
    return error_response_json("InvalidRequestException", MESSAGE)
