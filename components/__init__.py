"""Pulumi components that the program deploys. Dependencies point one way: platform, subsystems, blocks, settings."""
