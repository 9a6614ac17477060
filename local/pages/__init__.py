"""Pages that are made of the recorded graph: what is there, what flows where, and who may do what."""
