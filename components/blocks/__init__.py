"""What subsystems are built of: each block brings everything that makes its resource safe to run."""
