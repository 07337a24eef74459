"""`nodeagent doctor`: whether the machine can be a node, and what mends it where it cannot."""
