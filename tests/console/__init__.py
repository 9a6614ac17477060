"""Tests of the console in a browser.

They are a package, because browser and window have package scope: they end before tests that need another event loop.
"""
