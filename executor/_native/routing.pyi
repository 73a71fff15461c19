"""Nothing of it is reached from Python: `flow` calls it when a request has its answer."""
