"""Tests of the error messages that operators see if a call to AWS fails."""

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from operations.command_errors import CommandFailed, ConcurrentChange, InvalidInput, UnknownOutcome
from operations.function_management_gateway import FunctionGateway
from tests.operations.fake_lambda_cloud import FUNCTION, SECRET, FakeLambdaCloud, error_response, lost_response_error


@pytest.mark.parametrize(
    ("error", "error_class", "expected_error"),
    [
        (error_response("AccessDeniedException", status=403), CommandFailed, "do not allow lambda:GetAlias on"),
        (error_response("ExpiredTokenException", status=403), CommandFailed, "Log in"),
        (error_response("KMSAccessDeniedException", status=502), CommandFailed, "the KMS key is disabled"),
        (error_response("PreconditionFailedException", status=412), ConcurrentChange, "Nothing was overwritten"),
        (error_response("ResourceConflictException", status=409), CommandFailed, "another update is in progress"),
        (error_response("InvalidParameterValueException"), InvalidInput, "does not accept"),
        (error_response("TooManyRequestsException", status=429), CommandFailed, "This call changed nothing"),
        (error_response("ServiceException", status=500), UnknownOutcome, "Run the command again"),
        (lost_response_error(), UnknownOutcome, "no answer (ReadTimeoutError)"),
        (NoCredentialsError(), UnknownOutcome, "Check credentials"),
    ],
)
def test_each_aws_error_becomes_one_line_without_the_text_of_the_service(
    cloud: FakeLambdaCloud, error: BaseException, error_class: type[CommandFailed], expected_error: str
) -> None:
    """The text of the service may contain environment variables."""
    if isinstance(error, ClientError):
        error.response["Error"]["Message"] = f"String measured: {SECRET}"
    cloud.events_before["get_alias"] = [error]
    with pytest.raises(error_class) as raised:
        FunctionGateway(cloud).get_alias(FUNCTION)
    assert expected_error in str(raised.value)
    assert "\n" not in str(raised.value)
    assert SECRET not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
