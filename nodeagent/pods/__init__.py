"""The pod lifecycle: decided by pure functions, carried out by one worker a pod."""
