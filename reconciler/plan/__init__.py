"""What merging a folder would do to the fleet: the daemon's own decisions, taken on a copy of the cluster."""
