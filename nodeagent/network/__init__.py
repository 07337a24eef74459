"""The pod network of this node."""
