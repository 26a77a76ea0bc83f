"""A move to another connection (section 18)."""

from __future__ import annotations

import asyncio

from fanfare.v1.frames_pb2 import ServerFrame

from .connection import Connection

# What the second connection brings is held back up to these bounds. Past them the former one is closed, and what it had
# left is a gap.
MAX_HELD_FRAMES = 10_000
MAX_HELD_BYTES = 16 * 1024 * 1024


class Move:
    """The former connection serves on, and the second one's frames wait until everything of the former has come."""

    def __init__(self, former: Connection, second: Connection) -> None:
        self.former = former
        self.second = second
        self.is_handed_over = False
        self.held: list[ServerFrame] = []
        self.done = asyncio.Event()
        self._held_bytes = 0

    def hold(self, frame: ServerFrame) -> bool:
        """Whether there is room for more after this frame."""
        self.held.append(frame)
        self._held_bytes += frame.ByteSize()
        return len(self.held) < MAX_HELD_FRAMES and self._held_bytes < MAX_HELD_BYTES

    @property
    def is_complete(self) -> bool:
        """Nothing more comes on the former connection, and the second has been welcomed."""
        return self.second.welcome is not None and (self.is_handed_over or self.former.ending is not None)
