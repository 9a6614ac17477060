"""What is deployed. Dependencies point one way: platform, subsystems, blocks, settings."""
