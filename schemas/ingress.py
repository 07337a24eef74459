"""What reconciler and agents agree on about Ingresses beside Kubernetes' own fields."""

CLASS = "wherry"
"""The `ingressClassName` of Ingresses that our nodes serve, where no IngressClass says otherwise."""
CONTROLLER_NAME = "wherry.dev/haproxy"
"""The `controller` of an IngressClass whose Ingresses our nodes serve."""
SERVES = "wherry.dev/ingress"
"""The label, `true`, of nodes that have a proxy: their agents set it."""
