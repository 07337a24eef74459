"""What the reconciler asks of a node while somebody looks on: logs, exec, attach, connections."""
