"""Small typed clients of the backends, for programs that use them."""
