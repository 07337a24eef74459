"""The version of both daemons; `pyproject.toml` says the same, and a test that it does.

Written here as well because to ask for an installed package's costs an agent a megabyte.
"""

VERSION = "0.1.0"
