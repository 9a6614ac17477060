"""A secret of the stack's, kept where functions read it: they get its name, and never what it says."""

from dataclasses import dataclass

import pulumi
from pulumi_aws import ssm

from components.blocks.iam.grant import Grant, grant
from components.blocks.naming.physical_names import Kind
from components.blocks.naming.scope import Block, Scope


@dataclass(frozen=True)
class SecretArgs:
    """One secret."""

    scope: Scope
    logical_name: str
    value: str


class Secret(Block):
    """A parameter that is stored encrypted, with the key that the service owns for the account."""

    version: pulumi.Output[str]
    """A new one with each value. What is given it is deployed anew when the secret is, and reads it anew."""

    def __init__(self, short_name: str, args: SecretArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("Secret", short_name, args.scope, opts)
        own = args.scope.name(Kind.PARAMETER, short_name)
        self.name = f"/{own}"
        self.arn = args.scope.context.arn("ssm", f"parameter/{own}")
        parameter = ssm.Parameter(
            self.part_name("parameter"),
            name=self.name,
            type="SecureString",
            value=pulumi.Output.secret(args.value),
            description=f"{args.logical_name} of Polyphony's {args.scope.subsystem}",
            tags=args.scope.tags(args.logical_name),
            opts=self.part_options(),
        )
        self.version = parameter.version.apply(str)
        self.register_outputs({"name": self.name})

    def grant_read(self) -> Grant:
        """Permission to read what it says; the service's own key needs no grant."""
        return grant("ssm", ["GetParameter"], self.arn)
