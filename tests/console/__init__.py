"""A package, so that the browser lives as long as its tests: beside a browser no other event loop runs."""
