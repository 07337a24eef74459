"""Filters and scores under kube-scheduler's names, one module each, with its answers and its words.

https://kubernetes.io/docs/reference/scheduling/config/#scheduling-plugins
"""
