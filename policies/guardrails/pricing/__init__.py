"""Cost model: the monthly cost of a stack, from a price book and one price rule for each billable resource type."""
