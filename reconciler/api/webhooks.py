"""`POST /wherry/v1/webhook`: a forge tells of a push. No bearer token: the signature of the body is the credential."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Literal

from aiohttp import web

from reconciler.api.requests import MAX_BODY, json_response
from reconciler.api.status import StatusError, bad_request

log = logging.getLogger(__name__)

PATH = "/wherry/v1/webhook"
MOST_AT_ONCE = 4
"""Bodies of strangers that are held in memory at one time."""
BODY_SECONDS = 10.0
_LOG_SECONDS = 10.0

Receive = Callable[[Mapping[str, str], bytes], Literal["refused", "ignored", "taken"]]
"""Judges headers (whatever their case) and body, and sees to it that what was pushed is fetched."""


class Webhook:
    """Bounded for a caller whom nobody knows yet: in size, in number, and in lines of the log."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._reading = 0
        self._refused = 0
        self._logged = float("-inf")

    async def post(self, request: web.Request) -> web.StreamResponse:
        if self._reading >= MOST_AT_ONCE:
            raise StatusError(429, "TooManyRequests", "too many webhooks at once: send it again")
        self._reading += 1
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            raise StatusError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {MAX_BODY}") from None
        except TimeoutError:
            raise StatusError(408, "Timeout", f"the body did not arrive within {BODY_SECONDS:.0f} s") from None
        except (ConnectionError, web.RequestPayloadError) as error:
            raise bad_request(f"the body did not arrive whole: {error}") from None
        finally:
            self._reading -= 1
        verdict = self._receive(request.headers, body)
        if verdict == "refused":
            self._note(request.remote or "")
            raise StatusError(401, "Unauthorized", "the signature is missing or wrong: check the webhook's secret")
        return json_response({"sync": verdict == "taken"}, 202)

    def _note(self, remote: str) -> None:
        self._refused += 1
        if (now := time.monotonic()) - self._logged >= _LOG_SECONDS:
            log.warning("webhook refused: signature missing or wrong remote=%s count=%d", remote, self._refused)
            self._logged, self._refused = now, 0
