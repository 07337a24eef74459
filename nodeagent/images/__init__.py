"""Images of one node: which are pulled, with what rights, from where, and which go when the disk fills."""
