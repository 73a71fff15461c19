"""Owns the operator: what a SeldonDeployment becomes in a cluster. Must not serve requests: `executor` does.

Where to start reading: `resource` (what came in, checked), `defaults` (filled in), `desired` (the objects), `status`.
"""
