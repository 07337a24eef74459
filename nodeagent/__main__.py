"""`python -m nodeagent` is `nodeagent`."""

from nodeagent.cli import main

main()
