"""The muscle: runs the pods assigned to this node, with or without a link, and reports back."""
