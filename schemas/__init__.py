"""What both daemons agree on: API types, their rules, and the messages between reconciler and agent."""
