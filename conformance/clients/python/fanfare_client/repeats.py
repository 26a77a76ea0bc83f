"""What has been taken already (FF-ID-014, FF-ID-015)."""

from __future__ import annotations

from collections import OrderedDict

from .channel import Channel

# At least 1,024 by FF-ID-015. At it, the one unused for longest is forgotten.
BOUND = 4096


class Repeats:
    """The last seq of each origin, channel and volatile."""

    def __init__(self, bound: int = BOUND) -> None:
        self._bound = bound
        self._last: OrderedDict[tuple[int, Channel, bool], int] = OrderedDict()

    def is_new(self, origin: int, channel: Channel, *, volatile: bool, seq: int) -> bool:
        """Whether a message is taken; from then on it is a repeat."""
        key = (origin, channel, volatile)
        last = self._last.get(key, 0)
        self._last[key] = max(last, seq)
        self._last.move_to_end(key)
        if len(self._last) > self._bound:
            self._last.popitem(last=False)
        return seq > last

    def forget(self, channel: Channel) -> None:
        """A log is about to be read again from an earlier position (FF-DU-005)."""
        for key in [key for key in self._last if key[1] == channel]:
            del self._last[key]
