"""Typed Python clients of the backends. So far, only the meetings backend has one."""
