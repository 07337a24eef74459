"""The HTTP front door, which real Kubernetes clients talk to."""
