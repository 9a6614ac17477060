"""SSM parameter with a secret of the stack. Functions get its name and read the value themselves."""

from dataclasses import dataclass

import pulumi
from pulumi_aws import ssm

from components.blocks.block import Block
from components.blocks.iam.grant import Grant, grant
from components.blocks.naming.physical_names import Kind
from components.blocks.naming.subsystem_scope import Scope


@dataclass(frozen=True)
class SecretArgs:
    scope: Scope
    display_name: str
    value: str


class Secret(Block):
    """SecureString parameter, encrypted with the AWS managed key of SSM."""

    version: pulumi.Output[str]
    """Version of the value. A function that has the version in its environment is deployed again when the secret
    changes, and then reads the new value."""

    def __init__(self, short_name: str, args: SecretArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("Secret", short_name, args.scope, opts)
        parameter_name = args.scope.name(Kind.PARAMETER, short_name)
        self.name = f"/{parameter_name}"
        self.arn = args.scope.context.arn("ssm", f"parameter/{parameter_name}")
        parameter = ssm.Parameter(
            self.part_name("parameter"),
            name=self.name,
            type="SecureString",
            value=pulumi.Output.secret(args.value),
            description=f"{args.display_name} of Polyphony's {args.scope.subsystem}",
            tags=args.scope.tags(args.display_name),
            opts=self.part_options(),
        )
        self.version = parameter.version.apply(str)
        self.register_outputs({"name": self.name})

    def grant_read(self) -> Grant:
        """Grant reading the value. The AWS managed key needs no grant."""
        return grant("ssm", ["GetParameter"], self.arn)
