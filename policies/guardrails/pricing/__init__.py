"""Cost model: the monthly cost of a stack, from its resources, its published usage and the prices of AWS."""
