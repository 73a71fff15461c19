"""Owns the benchmark suite: `python -m bench`. Must not be imported by the product; see README.md here."""
