"""Opens WebSockets, and says how one that could not be opened ended."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from fanfare.v1.error_pb2 import Error
from websockets.asyncio.client import ClientConnection, connect
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from .codec import MAX_MESSAGE_BYTES

# How long the peer may take to answer a close, in seconds.
CLOSE_TIMEOUT_S = 1.0


@dataclass(frozen=True, slots=True)
class Ending:
    """How a connection ended: a close code of either side, the status of a refused upgrade, or nothing at all."""

    close_code: int | None = None
    status: int | None = None
    retry_after_s: float = 0.0
    # The last `error` frame before a close that no welcome came before.
    error: Error | None = None


class DialError(Exception):
    """The WebSocket could not be opened."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(str(ending))
        self.ending = ending


class _Dial(connect):
    def process_redirect(self, exc: Exception) -> Exception:
        """Redirects are not followed: section 20."""
        return exc


async def dial(url: str, subprotocols: Sequence[str]) -> ClientConnection:
    """Raises DialError."""
    try:
        return await _Dial(
            url,
            subprotocols=[Subprotocol(name) for name in subprotocols],
            compression=None,
            proxy=None,
            open_timeout=None,
            # The protocol has a heartbeat of its own, and no use for control frames (FF-HB-004).
            ping_interval=None,
            close_timeout=CLOSE_TIMEOUT_S,
            max_size=MAX_MESSAGE_BYTES,
        )
    except InvalidStatus as refusal:
        response = refusal.response
        ending = Ending(status=response.status_code, retry_after_s=_retry_after_s(response.headers))
        raise DialError(ending) from refusal
    except (OSError, EOFError, InvalidHandshake) as failure:
        raise DialError(Ending()) from failure


def _retry_after_s(headers: Headers) -> float:
    with contextlib.suppress(KeyError, ValueError):
        return max(0.0, float(headers["Retry-After"]))
    return 0.0
