"""Which node a pod runs on: filters and scores are pure, the loop binds."""
