"""Owns what is written down of a request on its way: the time its nodes took, and its spans where it is traced."""
