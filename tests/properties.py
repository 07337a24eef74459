"""How properties are tried: the same examples in each run, and with no eye on the clock, which a busy machine slows.

The long forms (`make soak`, which sets `WHERRY_EXAMPLES`) try others each time.
"""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "suite",
    deadline=None,
    derandomize="WHERRY_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("suite")
