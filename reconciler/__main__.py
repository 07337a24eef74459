"""`python -m reconciler` is `wherry`."""

from reconciler.cli import main

main()
