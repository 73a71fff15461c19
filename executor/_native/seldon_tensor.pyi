"""Owns Tensor of seldon.protos: where its numbers lie, and the mean of several. Python sees nothing of it."""
