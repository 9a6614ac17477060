"""IAM on the local platform: evaluation of permissions, a log of the decisions, and a search for unused permissions."""
