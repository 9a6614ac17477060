"""Pulumi components that the program deploys.

The platform imports the foundation and the subsystems. Both import the blocks, which are components for one kind of
resource each. The blocks import the settings. No import points the other way.
"""
