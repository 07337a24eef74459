"""`postStart` and `preStop` of a container.

https://kubernetes.io/docs/concepts/containers/container-lifecycle-hooks/
"""

import asyncio

from nodeagent.pods.checks import Outcome, Reach, Result, check_exec
from nodeagent.runtime.interface import Runtime
from schemas.core.container import Container, LifecycleHandler


async def run_hook(
    runtime: Runtime,
    reach: Reach,
    handler: LifecycleHandler,
    container: Container,
    container_id: str,
    address: str,
    timeout: float,
) -> str:
    """Why it failed; empty when it did not. It never takes longer than the timeout (seconds)."""
    try:
        async with asyncio.timeout(timeout):
            result = await _run(runtime, reach, handler, container, container_id, address, timeout)
    except TimeoutError:
        return f"the hook took longer than {timeout:g}s"
    except ValueError as error:
        return str(error)
    return "" if result.outcome is Outcome.SUCCESS else result.output or "the hook failed"


async def _run(
    runtime: Runtime,
    reach: Reach,
    handler: LifecycleHandler,
    container: Container,
    container_id: str,
    address: str,
    timeout: float,
) -> Result:
    if handler.exec:
        return await check_exec(runtime, container_id, handler.exec.command, timeout)
    if handler.http_get:
        return await reach.http(handler.http_get, container, address, timeout)
    if handler.sleep:
        await asyncio.sleep(handler.sleep.seconds)
        return Result(Outcome.SUCCESS)
    raise ValueError("invalid handler: it names neither exec, httpGet nor sleep")
