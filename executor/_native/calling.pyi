"""Owns a request's life and its steps' calls. Nothing of it is reached from Python."""
