"""Tests here try properties: `tests.properties` says how."""

import tests.properties  # noqa: F401 - sets it
