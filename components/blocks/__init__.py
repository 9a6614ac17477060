"""Blocks: the components of which the subsystems are built.

Each block creates one kind of resource with everything that makes it safe to run.
"""
