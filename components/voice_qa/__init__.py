"""Resources of voice Q&A, which answers spoken questions about lectures."""
