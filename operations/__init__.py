"""What an operator does to a running stack between two deployments: `python -m operations`."""
