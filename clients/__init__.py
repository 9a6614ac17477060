"""Typed Python clients of the backends."""
