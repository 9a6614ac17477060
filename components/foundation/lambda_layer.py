"""Lambda layer of all functions: the handlers' libraries, built for arm64 and Python 3.13.

The layer's name contains the hash of the lock file, so a changed lock file creates a new layer. `make layers` builds
the layer's archive. A preview does not need the archive; a deployment without it fails with an error that names this
command.
"""

import hashlib
from pathlib import Path

import pulumi
from pulumi_aws import lambda_

from components.blocks.compute.function import RUNTIME
from components.blocks.compute.handler_archive import LAYER_LOCK, ROOT
from components.blocks.naming.context import Context, Subsystem
from components.blocks.naming.physical_names import Kind
from components.settings import Environment

ARCHIVE = Path("build/layers/handlers.zip")
"""Path of the layer's archive, relative to the repository's root."""


def lock_hash() -> str:
    """Return the hash of the lock file, which determines the layer's content."""
    return hashlib.sha256(LAYER_LOCK.read_bytes()).hexdigest()


class HandlersLayer(pulumi.ComponentResource):
    arn: pulumi.Output[str]

    def __init__(self, context: Context, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("polyphony:foundation:HandlersLayer", "foundation-layer", None, opts)
        content = lock_hash()
        layer = lambda_.LayerVersion(
            "foundation-layer-version",
            layer_name=context.name(Kind.LAYER, Subsystem.FOUNDATION, f"handlers-{content[:12]}"),
            description="Libraries of Polyphony's handlers",
            compatible_runtimes=[RUNTIME],
            compatible_architectures=["arm64"],
            code=_layer_code(context),
            source_code_hash=content,
            # Only the lock file decides about a new layer, because archives of one lock file may differ in bytes.
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["code"]),
        )
        self.arn = layer.arn
        self.register_outputs({"arn": self.arn})


def _layer_code(context: Context) -> pulumi.Archive:
    """Return the archive, or a placeholder if the deployment does not read it."""
    if (ROOT / ARCHIVE).exists():
        return pulumi.FileArchive(ARCHIVE.as_posix())
    if pulumi.runtime.is_dry_run() or context.environment is Environment.LOCAL:
        # A preview does not read the archive. The local platform has the same locked packages installed instead.
        return pulumi.AssetArchive({"python/README": pulumi.StringAsset("built by `make layers`\n")})
    raise pulumi.RunError(
        f"the archive of the Lambda layer, {ARCHIVE}, does not exist: run `make layers`, then deploy again"
    )
