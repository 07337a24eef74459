"""What a pod runs on: the interface, containerd over CRI, and a simulation."""
