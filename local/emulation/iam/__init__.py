"""IAM on the local platform: evaluates and records permissions, and compares their use with the grants of the roles."""
