"""The node seen from itself: over a Unix socket and as metrics, with or without a control plane."""
