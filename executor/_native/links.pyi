"""Nothing of it is reached from Python: `channel` opens and picks connections."""
