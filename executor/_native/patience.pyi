"""Nothing of it is reached from Python: `flow` calls it around the calls of nodes that have a time of their own."""
