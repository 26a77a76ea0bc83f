"""Requests that wait for their reply, and those that wait for room (section 6)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from fanfare.v1 import error_pb2
from fanfare.v1.frames_pb2 import Reply

from .errors import FanfareError

MAX_ID = 2**32 - 1
# Requests that may wait for their reply, where the server tells no limit.
DEFAULT_MOST = 256

# Called in the order of frames; None: there will be no reply.
OnReply = Callable[[Reply | None], None]


class NoReplyError(Exception):
    """The connection ended, or handed over, before the reply came."""


class Requests:
    """Those of one connection."""

    def __init__(self) -> None:
        # No request may wait before the welcome.
        self.most = 0
        self._pending: dict[int, OnReply] = {}
        self._in_line: deque[asyncio.Future[None]] = deque()
        self._last_id = 0
        self._is_held = False
        self._is_over = False

    @property
    def has_room(self) -> bool:
        """Whether one more may wait for its reply (FF-FR-015). Whoever stands in line comes first."""
        return not self._is_held and len(self._pending) + len(self._in_line) < self.most

    async def room(self) -> None:
        """Returns when there is room. Raises NoReplyError when there will be none."""
        while not self.has_room and not self._is_over:
            turn = asyncio.get_running_loop().create_future()
            self._in_line.append(turn)
            try:
                await turn
            finally:
                if turn in self._in_line:
                    self._in_line.remove(turn)
        if self._is_over:
            raise NoReplyError

    def hold(self, is_held: bool) -> None:
        """Lets all wait in line, or go on."""
        self._is_held = is_held
        if not is_held:
            self._next_in_line(len(self._in_line))

    def next_id(self) -> int:
        """An id that no request has (FF-FR-001)."""
        self._last_id = self._last_id % MAX_ID + 1
        while self._last_id in self._pending:
            self._last_id = self._last_id % MAX_ID + 1
        return self._last_id

    def add(self, request_id: int, on_reply: OnReply) -> None:
        if self._is_over:
            on_reply(None)
        else:
            self._pending[request_id] = on_reply

    def replied(self, request_id: int, reply: Reply) -> None:
        """FF-FR-005: nobody waits for a reply under another id."""
        on_reply = self._pending.pop(request_id, None)
        if on_reply is not None:
            self._next_in_line(1)
            on_reply(reply)

    def abandon(self) -> None:
        """What has no reply yet will get none here."""
        self._is_over = True
        pending, self._pending = self._pending, {}
        for on_reply in pending.values():
            on_reply(None)
        self._next_in_line(len(self._in_line))

    def _next_in_line(self, count: int) -> None:
        for _ in range(min(count, len(self._in_line))):
            turn = self._in_line.popleft()
            if not turn.done():
                turn.set_result(None)


def check_reply(reply: Reply, result: str) -> None:
    """Raises the error of a reply, and INTERNAL where it belongs to another kind of request."""
    kind = reply.WhichOneof("result")
    if kind == "error":
        raise FanfareError.from_wire(reply.error)
    if kind != result:
        raise FanfareError(error_pb2.ERROR_CODE_INTERNAL, f"the server answered with {kind} instead of {result}")
