"""Millrace runs inference graphs: one request in, through a graph of models, routers and combiners, one answer out.

Owns the version. Must not import anything: `import executor` costs nothing, and each part is imported by its own name.
"""

__version__ = "0.1.0"
