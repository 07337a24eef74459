"""Ingress: HTTP from outside to Services, through an HAProxy on the node that the agent configures."""
