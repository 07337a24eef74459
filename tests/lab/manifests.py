"""Manifests that the lab tests write."""

from typing import Any


def deployment(
    name: str,
    *,
    replicas: int | None = 2,
    image: str = "wherry.local/busybox:1",
    command: list[str] | None = None,
    env: dict[str, str] | None = None,
    max_unavailable: int = 0,
    **container: Any,  # noqa: ANN401 (any field of a container)
) -> dict[str, Any]:
    """A Deployment of a web server that is ready when it answers, spread over nodes by the scheduler."""
    spec: dict[str, Any] = {
        "selector": {"matchLabels": {"app": name}},
        "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": max_unavailable}},
        "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {
                "terminationGracePeriodSeconds": 1,
                "containers": [
                    {
                        "name": "main",
                        "image": image,
                        "command": command or ["httpd", "-f", "-p", "8080", "-h", "/"],
                        "env": [{"name": key, "value": value} for key, value in (env or {}).items()],
                        "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
                        **container,
                    }
                ],
            },
        },
    }
    if replicas is not None:
        spec["replicas"] = replicas
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def pod(name: str, command: list[str], **container: Any) -> dict[str, Any]:  # noqa: ANN401 (any field)
    """A bare Pod with one container."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "containers": [{"name": "main", "image": "wherry.local/busybox:1", "command": command, **container}],
        },
    }
