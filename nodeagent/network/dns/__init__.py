"""Names of Services and pods, answered on each node, and every other name asked of the servers that the node has."""
