"""Entry point of the Pulumi program: load the settings, create the platform, export the outputs."""

import pulumi

from components.core import Context
from components.platform import Platform
from components.settings import load_settings

settings = load_settings(pulumi.runtime.get_config_env(), pulumi.get_stack(), pulumi.runtime.is_config_secret)
platform = Platform("platform", Context.read(settings), settings)
pulumi.export("frontend", platform.frontend)
