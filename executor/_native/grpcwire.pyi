"""Nothing of it is reached from Python."""
