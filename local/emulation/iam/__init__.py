"""IAM on the local platform: evaluates and records permissions, and compares the grants of the roles with their use."""
