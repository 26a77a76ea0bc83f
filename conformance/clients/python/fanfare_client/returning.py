"""Whether and when a client comes back, and with which token (section 20)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from fanfare.v1.session_pb2 import Hello, Welcome

from .bounds import check_bounds
from .closing import ComeBack, Policy, after_close, after_status
from .connection import Connection
from .delays import Delays
from .dialing import Ending

_log = logging.getLogger("fanfare")


class Returning:
    """Decides after each connection. `get_token` is asked for a token before each."""

    def __init__(self, get_token: Callable[[], Awaitable[str]], delays: Delays) -> None:
        self.delays = delays
        # The one of the last hello.
        self.token = ""
        self._get_token = get_token
        self._token_at_hand: str | None = None
        # The last connection ended by *new token*, and without a welcome.
        self._was_refused = False
        self._welcomed_urls: set[str] = set()

    def welcomed(self, connection: Connection, welcome: Welcome) -> None:
        self._welcomed_urls.add(connection.url)
        self.delays.welcomed(welcome.reconnect_window_ms / 1000)

    async def provide_token(self) -> str:
        """What the application's provider gives. Raises INVALID_ARGUMENT for what can be no token, and whatever the
        provider raises.
        """
        token = await self._get_token()
        check_bounds(Hello(token=token, attempt=1), "hello.")
        return token

    async def take_token(self) -> None:
        """Sets the token of the next hello."""
        self.token = self._token_at_hand or await self.provide_token()
        self._token_at_hand = None

    def policy_after(self, connection: Connection) -> Policy:
        ending = connection.ending or Ending()
        if ending.status is None:
            return after_close(ending.close_code)
        was_welcomed = connection.url in self._welcomed_urls
        return after_status(ending.status, ending.retry_after_s, was_welcomed=was_welcomed)

    async def wait_after(self, connection: Connection) -> float | None:
        """How long to wait before coming back, in seconds; None: not at all."""
        policy = self.policy_after(connection)
        was_refused = self._was_refused
        self._was_refused = policy.come_back is ComeBack.NEW_TOKEN and connection.welcome is None
        match policy.come_back:
            case ComeBack.NEVER:
                return None
            case ComeBack.BACK_OFF:
                return self.delays.back_off(policy.least_wait_s)
            case ComeBack.SOON:
                return self.delays.soon(policy.least_wait_s)
            case ComeBack.NEW_TOKEN:
                refused_again = was_refused and connection.welcome is None
                return 0.0 if await self._has_new_token() and not refused_again else self.delays.back_off()

    async def _has_new_token(self) -> bool:
        try:
            token = await self.provide_token()
        except Exception:
            _log.exception("there is no new token")
            return False
        if token == self.token:
            return False
        self._token_at_hand = token
        return True
