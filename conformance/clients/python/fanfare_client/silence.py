"""When a connection that is heard nothing of is dead (section 7)."""

from __future__ import annotations

from enum import Enum, auto


class Sign(Enum):
    """What a look at the clock says."""

    ALIVE = auto()
    # This process was stopped, so that it cannot know what would have been heard: ask (FF-HB-009).
    ASK = auto()
    DEAD = auto()


class Silence:
    """Looks at two clocks, all times in seconds: the loop's own, which may stand still while a machine sleeps, and that
    of the wall.
    """

    def __init__(self, interval_s: float, timeout_s: float, now_s: float, wall_s: float) -> None:
        self._timeout_s = timeout_s
        self._silence_s = interval_s + timeout_s
        self.look_every_s = min(1.0, self._silence_s / 8)
        self._dead_at_s = now_s + self._silence_s
        self._looked_s = (now_s, wall_s)

    def heard(self, now_s: float) -> None:
        self._dead_at_s = now_s + self._silence_s

    def look(self, now_s: float, wall_s: float) -> Sign:
        """To be called every `look_every_s`."""
        passed_s = max(now_s - self._looked_s[0], wall_s - self._looked_s[1])
        self._looked_s = (now_s, wall_s)
        if passed_s - self.look_every_s > max(1.0, self._timeout_s):
            self._dead_at_s = now_s + self._timeout_s
            return Sign.ASK
        return Sign.DEAD if now_s >= self._dead_at_s else Sign.ALIVE
