"""A package, so that browser and visitor live as long as its tests: beside a browser no other event loop runs."""
