"""The scheduler's rules written down plainly: each pod and each node looked at anew, nothing kept between decisions.

A yardstick for the scheduler itself, which shares no code with this, and a peer to measure it against. Sources: the
Kubernetes documentation of each plugin (https://kubernetes.io/docs/reference/scheduling/config/#scheduling-plugins),
the KEPs that each module names, and decisions recorded of a real kube-scheduler 1.36, all of which it repeats.
"""
