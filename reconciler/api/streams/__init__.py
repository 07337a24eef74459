"""Subresources of pods that are streams: log, exec, attach, port-forward and proxy, each over a call to the node."""
