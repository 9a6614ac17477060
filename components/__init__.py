"""Pulumi components that the program deploys.

The platform imports the foundation and the subsystems, both import the blocks, and the blocks import the settings. No
import points the other way.
"""
