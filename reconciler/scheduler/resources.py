"""The amounts that pods are placed by: what their nodes hold them to, and what is taken where nothing is stated."""

from schemas.podrequests import CPU, MEMORY, PODS, Amounts, HostPort, amounts, clash, host_ports, requests

UNSTATED = {CPU: 100, MEMORY: 200 * 1024 * 1024}
"""What a container that states no request is scored as."""

__all__ = ["CPU", "MEMORY", "PODS", "UNSTATED", "Amounts", "HostPort", "amounts", "clash", "host_ports", "requests"]
