"""What the client tells its application."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from fanfare.v1.channel_pb2 import Position
from fanfare.v1.subscription_pb2 import Gap, SubscriptionCloseReason

from .channel import Channel
from .errors import FanfareError
from .received import Received
from .roster import Change


class State(Enum):
    """Where the client is."""

    CONNECTING = auto()
    CONNECTED = auto()
    # It does not come back by itself.
    CLOSED = auto()


@dataclass(frozen=True, slots=True)
class Status:
    """A change of the client's state."""

    state: State
    # Of CONNECTED: the session goes on. If it does not, what was sent live meanwhile is lost and not told of as a gap.
    resumed: bool = False
    # Of CLOSED: the close code that led to it, if one did, and what the client gave up with.
    close_code: int | None = None
    error: FanfareError | None = None


class Listener:
    """Override what you want to hear. Each method is called from the event loop, in the order in which things came, and
    must not wait: who has to, puts what it got into a queue. With the return of `on_message` the message counts as
    processed, and the position in its durable channel moves on. What a method raises is logged and changes nothing.
    """

    def on_status(self, status: Status) -> None:
        """The connection came, went, or is over."""

    def on_message(self, message: Received) -> None:
        """A message of a channel that this session subscribes."""

    def on_gap(self, channel: Channel, gap: Gap) -> None:
        """Messages were missed, or may have been."""

    def on_opened(self, channel: Channel) -> None:
        """The server has subscribed the session by itself, after its first welcome."""

    def on_closed(self, channel: Channel, reason: SubscriptionCloseReason, error: FanfareError | None) -> None:
        """A subscription is over, and nobody here has asked for it."""

    def on_caught_up(self, channel: Channel, position: Position) -> None:
        """The replay of a durable channel has ended: what follows comes as it is published."""

    def on_presence(self, channel: Channel, change: Change) -> None:
        """Somebody came, shows something else, or went, in a channel that was subscribed with presence."""

    def on_dropped(self, count: int) -> None:
        """The server has left out volatile messages, because they were not read fast enough."""
