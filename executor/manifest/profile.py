"""Owns the terms on which a manifest is checked: whose rules, and what is known from outside the file.

Must not hold any rule.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum


class Profile(Enum):
    """Whose rules a manifest is held against."""

    CLUSTER = "cluster"
    """Seldon's own: nodes run in containers that the manifest names."""
    LOCAL = "local"
    """Ours for a graph run by hand: nodes are components or endpoints that the caller names."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a manifest is checked against."""

    profile: Profile = Profile.CLUSTER
    reached: Collection[str] | None = None
    """Local profile: nodes for which a component or an endpoint is given; None where that is not the question."""
    prepackaged: bool = False
    """Local profile: prepackaged servers with a modelUri are run by whoever asks."""
    predictor: str | None = None
    """The predictor to be run, whose nodes have to be reached; None for all of them."""
    idle: bool = False
    """Local profile: routers and combiners without children pass, as Seldon lets them, and nodes of no type."""
    changed: bool = False
    """Local profile: `reached` was given for an earlier state of the file, so that some of it may be for no node."""
    servers: Collection[str] | None = None
    """Cluster profile: the prepackaged servers that the cluster offers; None for Seldon's own set."""
    protocols: Collection[str] | None = None
    """Cluster profile: what the executor of the cluster speaks; None where that is not the question."""
    server_types: Collection[str] | None = None
    """Cluster profile: how requests may come to it; None likewise."""
