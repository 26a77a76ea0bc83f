"""How long a client waits before it comes back (FF-BO-001 to FF-BO-005)."""

from __future__ import annotations

from collections.abc import Callable

FIRST_BACK_OFF_S = 0.25
GREATEST_BACK_OFF_S = 30.0
DEFAULT_WINDOW_S = 2.0

# Once a connection has held for this long after its welcome, all is well again, in seconds.
HELD_S = 10.0


class Delays:
    """Draws delays at random. `uniform(a, b)` is that of the module `random`, or of a test."""

    def __init__(self, uniform: Callable[[float, float], float]) -> None:
        self._uniform = uniform
        self._drawn = 0
        self._came_back_soon = False
        self._window_s = DEFAULT_WINDOW_S

    def welcomed(self, window_s: float) -> None:
        """The server has said over which window its clients spread."""
        self._window_s = window_s

    def held(self) -> None:
        """A connection has held for HELD_S."""
        self._drawn = 0
        self._came_back_soon = False

    def back_off(self, least_s: float = 0.0) -> float:
        bound_s = min(GREATEST_BACK_OFF_S, FIRST_BACK_OFF_S * 2.0 ** min(self._drawn, 16))
        self._drawn += 1
        return max(least_s, self._uniform(0.0, bound_s))

    def soon(self, least_s: float = 0.0) -> float:
        if self._came_back_soon:
            return self.back_off(least_s)
        self._came_back_soon = True
        return max(least_s, self._uniform(0.0, self._window_s))

    def at_once(self) -> float:
        """After the server has sent the client away: none, but once only, as after *soon*."""
        if self._came_back_soon:
            return self.back_off()
        self._came_back_soon = True
        return 0.0
