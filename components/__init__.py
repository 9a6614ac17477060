"""Pulumi components that the program deploys.

The platform imports the subsystems, the subsystems import the blocks, and the blocks import the settings. No import
points the other way.
"""
