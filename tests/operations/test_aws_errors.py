"""Tests of the error messages into which AWS errors are translated."""

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from operations.command_errors import CommandRefused, ConcurrentChange, InvalidInput, UnknownOutcome
from operations.function_management_gateway import FunctionGateway
from tests.operations.fake_lambda_cloud import FUNCTION, SECRET, FakeLambdaCloud, error_response, no_response_error


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (error_response("AccessDeniedException", status=403), CommandRefused, "do not allow lambda:GetAlias on"),
        (error_response("ExpiredTokenException", status=403), CommandRefused, "Log in"),
        (error_response("KMSAccessDeniedException", status=502), CommandRefused, "the KMS key is disabled"),
        (error_response("PreconditionFailedException", status=412), ConcurrentChange, "Nothing was overwritten"),
        (error_response("ResourceConflictException", status=409), CommandRefused, "another update is in progress"),
        (error_response("InvalidParameterValueException"), InvalidInput, "does not accept"),
        (error_response("TooManyRequestsException", status=429), CommandRefused, "This call changed nothing"),
        (error_response("ServiceException", status=500), UnknownOutcome, "Run the command again"),
        (no_response_error(), UnknownOutcome, "no answer (ReadTimeoutError)"),
        (NoCredentialsError(), UnknownOutcome, "Check credentials"),
    ],
)
def test_every_error_is_a_one_line_message_without_the_services_text(
    cloud: FakeLambdaCloud, error: BaseException, kind: type[CommandRefused], says: str
) -> None:
    """The service's text is not repeated, because it may contain an environment."""
    if isinstance(error, ClientError):
        error.response["Error"]["Message"] = f"String measured: {SECRET}"
    cloud.before["get_alias"] = [error]
    with pytest.raises(kind) as caught:
        FunctionGateway(cloud).get_alias(FUNCTION)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
