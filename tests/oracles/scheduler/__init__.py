"""Holds the scheduler to decisions recorded of a real kube-scheduler."""
