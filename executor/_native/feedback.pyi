"""Owns the feedback walk. Nothing of it is reached from Python."""
