"""The brain: from a folder of manifests to assignments for nodes, and back to kubectl."""
