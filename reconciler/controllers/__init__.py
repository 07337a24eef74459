"""The controllers: each a pure function from the cluster as it is to the changes it needs. `loop` drives them."""
