"""SSM parameter with a secret of the stack. Functions get its name and read the value themselves."""

import pulumi
from pulumi_aws import ssm

from components.blocks.iam import Grant, grant
from components.core import Block, Kind, Scope


class Secret(Block):
    """SecureString parameter, encrypted with the AWS managed key of SSM."""

    version: pulumi.Output[str]
    """Version of the value. A function that has the version in its environment is deployed again when the secret
    changes, and then reads the new value."""

    def __init__(self, scope: Scope, short_name: str, *, display_name: str, value: str) -> None:
        super().__init__("Secret", scope, short_name, display_name)
        parameter_name = scope.name(Kind.PARAMETER, short_name)
        self.name = f"/{parameter_name}"
        self.arn = scope.context.arn("ssm", f"parameter/{parameter_name}")
        parameter = ssm.Parameter(
            self.part_name("parameter"),
            name=self.name,
            type="SecureString",
            value=pulumi.Output.secret(value),
            description=self.description,
            tags=self.tags,
            opts=self.scope.options(),
        )
        self.version = parameter.version.apply(str)
        self.register_outputs({"name": self.name})

    def grant_read(self, variable: str | None = None) -> Grant:
        """Grant reading the value. `variable` is the field of the handler's environment model that gets the parameter's
        name. The AWS managed key needs no grant.
        """
        return grant("ssm", ["GetParameter"], self.arn).with_variable(variable, self.name)
