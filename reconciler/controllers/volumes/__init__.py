"""The controllers of storage: claims are bound to volumes, both are protected while in use, volumes are made."""
