"""Nothing of it is reached from Python: `channel` makes and ends exchanges."""
