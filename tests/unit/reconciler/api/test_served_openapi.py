"""What OpenAPI tells of, asked at random by schemathesis: whatever comes in, the server does not fail.

The paths are those of a few kinds that stand for the others; WHERRY_EVERY_OPERATION=1 asks for all of them.
"""

import asyncio
import os
import re
import sys
from pathlib import Path

from tests.unit.reconciler.api.conftest import Served

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
CONFIGURATION = """
[parameters]
"path.name" = "web"
"path.namespace" = "default"
"query.timeoutSeconds" = 1
"query.watch" = false
"""
CHOSEN = r"/(configmaps|deployments|events|horizontalpodautoscalers|jobs|pods|roles|selfsubject\w+|services)\b"
EVERY = "WHERRY_EVERY_OPERATION" in os.environ
AS_IN_KUBERNETES = r"/bindings?$"
"""A Binding without a target is answered with a 500, by the real one too."""
PROGRAM = (
    *("--checks", "not_a_server_error", "--phases", "fuzzing", "--mode", "all", "--seed", "1", "--workers", "2"),
    *("--generation-database", "none", "--request-timeout", "10", "--continue-on-failure", "--no-color"),
    *("--max-examples", "2" if EVERY else "1", "--exclude-path-regex", AS_IN_KUBERNETES),
    *(() if EVERY else ("--include-path-regex", CHOSEN)),
)


async def test_no_request_that_openapi_tells_of_makes_the_server_fail(served: Served) -> None:
    authority, configuration = served.directory / "authority.pem", served.directory / "schemathesis.toml"
    authority.write_bytes(served.server.access.authority)
    configuration.write_text(CONFIGURATION)
    server = served.server.access.server
    process = await asyncio.create_subprocess_exec(
        SCHEMATHESIS,
        *("--config-file", str(configuration), "run", f"{server}/openapi/v2", "--url", server),
        *("--header", "Authorization: Bearer good", "--tls-verify", str(authority), *PROGRAM),
        cwd=served.directory,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        out, _ = await asyncio.wait_for(process.communicate(), 500)
    finally:
        if process.returncode is None:
            process.kill()
    said = out.decode()
    assert process.returncode == 0, said
    (tested,) = re.findall(r"Tested: (\d+)", said)
    assert int(tested) > (300 if EVERY else 60)
