"""Who may do what on the local platform: judged, recorded, and held against what the roles were granted."""
