"""Brings a new token before the old one expires (FF-SE-027)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from fanfare.v1.frames_pb2 import ClientFrame
from fanfare.v1.session_pb2 import Refresh

from .connection import Connection
from .errors import FanfareError
from .requests import NoReplyError

_log = logging.getLogger("fanfare")

# The rule's last moment is half of what is left then, so that there is time to try again.
_LATEST_S = 30.0
_LEAST_BETWEEN_TRIES_S = 1.0


def wait_before_refresh_s(life_s: float) -> float:
    """How long a token with this life ahead of it can be left as it is."""
    return max(0.0, life_s - 2 * min(life_s / 10, _LATEST_S))


async def keep_token_fresh(connection: Connection, token: str, get_token: Callable[[], Awaitable[str]]) -> None:
    """Runs for as long as the connection does."""
    loop = asyncio.get_running_loop()
    welcome = connection.welcome
    if welcome is None or welcome.token_expires_at_ms == 0:
        return
    # By the server's clock, as it was when the welcome left.
    server_ahead_s = welcome.server_time_us / 1e6 - connection.welcomed_at_s

    def left_s(expires_at_ms: int) -> float:
        return expires_at_ms / 1000 - server_ahead_s - loop.time()

    expires_at_ms = welcome.token_expires_at_ms
    await asyncio.sleep(wait_before_refresh_s(left_s(expires_at_ms)))
    while connection.ending is None:
        try:
            new = await get_token()
            if new != token:
                reply = await connection.call(ClientFrame(refresh=Refresh(token=new)), "refreshed")
                token, expires_at_ms = new, reply.refreshed.token_expires_at_ms
                await asyncio.sleep(max(_LEAST_BETWEEN_TRIES_S, wait_before_refresh_s(left_s(expires_at_ms))))
                continue
        except NoReplyError:
            return
        except FanfareError as error:
            _log.warning("the token was not refreshed: %s", error)
        except Exception:
            _log.exception("there is no new token")
        # If it expires all the same, the server says so by a close code, and the client comes back with a new token.
        await asyncio.sleep(max(_LEAST_BETWEEN_TRIES_S, left_s(expires_at_ms) / 2))
