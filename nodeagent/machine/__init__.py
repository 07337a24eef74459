"""The machine under the node: what it has, what it is short of, and what follows for its pods."""
