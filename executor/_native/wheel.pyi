"""Owns timers. Has nothing for Python: its `.pxd` is its face."""
