"""Device files of the node that containers ask for by the name of an extended resource."""
