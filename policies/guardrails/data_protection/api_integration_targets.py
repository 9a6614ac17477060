"""Guardrail policy about the integrations of APIs: requests go to functions, to AWS services, or with https through a
VPC link to private servers. They never go to servers on the internet.
"""

from collections.abc import Iterator

from guardrails.model.nested_values import list_values
from guardrails.model.resource_types import API_V2, API_V2_INTEGRATION, REST_API, REST_INTEGRATION
from guardrails.pack.policy_kinds import MANDATORY_EVERYWHERE, CheckedResource, PolicyGroup, PolicySet, PolicySeverity

POLICIES = PolicySet(PolicyGroup.DATA_PROTECTION)

HTTP_TYPES = frozenset({"http", "http_proxy"})
"""Types of integrations that forward requests to a server, in lower case."""
EXTENSION = "x-amazon-apigateway-integration"
"""Key of an operation's integration in an OpenAPI document."""
VPC_LINK = "vpc_link"
"""Connection type of an integration whose server is inside a VPC, in lower case."""
URL_PREFIXES = ("http://", "https://")


@POLICIES.resource(
    "api-integration-inside-aws",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="APIs forward requests to functions and AWS services, not to servers on the internet.",
    remedy="Use an integration of type AWS_PROXY with a function, or a VPC link to a private server with https.",
    frameworks=("AWS Well-Architected SEC09-BP02",),
    types={API_V2, API_V2_INTEGRATION, REST_API, REST_INTEGRATION},
)
def _check_api_integration_inside_aws(resource: CheckedResource) -> Iterator[str]:
    settings = {nested.path: str(nested.value) for nested in list_values(resource.props) if nested.name}
    for path, value in settings.items():
        parent, _, key = path.rpartition(".")
        is_integration = resource.type in {API_V2_INTEGRATION, REST_INTEGRATION} or parent.endswith(EXTENSION)
        if is_integration and key in {"type", "integrationType"} and value.lower() in HTTP_TYPES:
            connection = settings.get(f"{parent}.connectionType".removeprefix("."), "")
            if connection.lower() != VPC_LINK:
                yield f"{path} is {value}, so requests are forwarded to a server on the internet."
        address = value.strip().lower()
        # API Gateway creates an integration for an API's `target`. That integration never uses a VPC link.
        is_api_target = resource.type == API_V2 and path == "target"
        if is_api_target and address.startswith(URL_PREFIXES):
            yield f"{path} is a URL, so requests are forwarded to a server on the internet."
        if (is_api_target or key in {"uri", "integrationUri"}) and address.startswith("http://"):
            yield f"{path} starts with http://, so requests are forwarded unencrypted."
