"""Messages, as applications get them."""

from __future__ import annotations

from dataclasses import dataclass

from fanfare.v1.channel_pb2 import Position
from fanfare.v1.history_pb2 import HistoryPage
from fanfare.v1.message_pb2 import Message, Payload

from .channel import Channel


@dataclass(frozen=True, slots=True)
class Received:
    """A message, as it came out of a channel or of its log."""

    channel: Channel
    payload: Payload
    # The player who published it, as the server knows it; empty for the backend.
    sender: str
    origin: int
    seq: int
    sent_at_ms: int
    volatile: bool
    # Of a durable channel: the position after this message.
    position: Position | None

    @classmethod
    def from_wire(cls, channel: Channel, message: Message, epoch: int | None) -> Received:
        """`epoch` is that of the log; None where the channel has none."""
        log = message.log
        return cls(
            channel=channel,
            payload=message.payload,
            sender=getattr(message, "from"),
            origin=message.origin,
            seq=message.seq,
            sent_at_ms=message.sent_at_ms,
            volatile=message.volatile,
            position=None if epoch is None else Position(epoch=epoch, offset=log.offset, tag=log.tag),
        )


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a log."""

    # In the direction that was asked for. Offsets that are missing between two of them were deleted or have expired.
    messages: list[Received]
    # Where to go on; None: there is nothing more in this direction.
    next: Position | None
    head: Position
    # The oldest position that can be read from.
    tail: Position

    @classmethod
    def from_wire(cls, channel: Channel, page: HistoryPage) -> Page:
        # Entries say no epoch of their own. A page is of one log, whose epoch its head has.
        messages = [Received.from_wire(channel, one, page.head.epoch) for one in page.messages]
        return cls(messages, page.next if page.HasField("next") else None, page.head, page.tail)
