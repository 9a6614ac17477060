"""What a stack costs a month: one price book, one rule a billable type, one pure function."""
