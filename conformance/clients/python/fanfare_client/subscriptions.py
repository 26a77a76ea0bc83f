"""What the session subscribes, and what of it reaches the application (sections 10 and 12.1)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from fanfare.v1 import channel_pb2, error_pb2, subscription_pb2
from fanfare.v1.channel_pb2 import Position
from fanfare.v1.error_pb2 import Error
from fanfare.v1.message_pb2 import Message, Skip
from fanfare.v1.presence_pb2 import PresenceEvent
from fanfare.v1.session_pb2 import Dropped, Welcome
from fanfare.v1.subscription_pb2 import Gap, Subscribe, Subscribed, SubscriptionCloseReason, SubscriptionEvent

from .channel import Channel
from .errors import FanfareError
from .listener import Listener
from .log_position import Step, step_of_message, step_of_skip
from .received import Received
from .repeats import Repeats
from .roster import Roster

_log = logging.getLogger("fanfare")

# What a hello may name, and how many bytes of it a server is sure to take beside a token (FF-TR-017). The rest is asked
# for after the welcome.
_MAX_NAMED = 256
_MAX_NAMED_BYTES = 48 * 1024

# How long the server has to send a new snapshot by itself, in seconds.
_PRESENCE_PATIENCE_S = 0.5

_REASON_OF_ERROR: dict[int, SubscriptionCloseReason] = {
    error_pb2.ERROR_CODE_PERMISSION_DENIED: subscription_pb2.SUBSCRIPTION_CLOSE_REASON_PERMISSION,
    error_pb2.ERROR_CODE_UNKNOWN_NAMESPACE: subscription_pb2.SUBSCRIPTION_CLOSE_REASON_NAMESPACE,
}

Waiter = Callable[[Subscribed | FanfareError], None]


@dataclass(slots=True)
class Subscription:
    """One channel that the client wants, or the server has opened, or both."""

    channel: Channel
    # What the application asked for. None: the server opened it.
    wanted: Subscribe | None = None
    # The server delivers it.
    is_open: bool = False
    is_durable: bool = False
    # Durable: what was handed to the application, up to here.
    position: Position | None = None
    # Something else came than what follows `position`. Nothing is taken until the server has answered from there (FF-
    # DU-002).
    is_lost: bool = False
    # The application has asked to end it, and the server has not answered yet.
    is_leaving: bool = False
    # Who is there, if the server tells.
    roster: Roster | None = None
    # Applications that wait for the answer to what they have asked for last.
    waiters: list[Waiter] = field(default_factory=list)

    @property
    def needs_asking(self) -> bool:
        """Whether the server has to be asked for it again."""
        return not self.is_open or self.is_lost or (self.roster is not None and self.roster.is_out_of_date)


class Subscriptions:
    """Takes the frames that belong to channels. `ask_again` is called for one that has to be asked for without the
    application's doing, with the delay in seconds.
    """

    def __init__(self, listener: Listener, ask_again: Callable[[Subscription, float], None]) -> None:
        self._listener = listener
        self._ask_again = ask_again
        self._by_channel: dict[Channel, Subscription] = {}
        self._repeats = Repeats()

    def __iter__(self) -> Iterator[Subscription]:
        return iter(list(self._by_channel.values()))

    def get(self, channel: Channel) -> Subscription | None:
        return self._by_channel.get(channel)

    def want(self, channel: Channel, request: Subscribe) -> Subscription:
        """From now on it is asked for in each hello."""
        subscription = self._by_channel.setdefault(channel, Subscription(channel))
        subscription.wanted = request
        subscription.is_leaving = False
        return subscription

    def remove(self, channel: Channel) -> None:
        self._by_channel.pop(channel, None)

    def forget_session(self) -> None:
        """Nothing of the former session counts but the positions in logs."""
        self._repeats = Repeats()

    def for_hello(self) -> list[Subscribe]:
        """What is to go on: what the application wants, and each durable channel from its position on (FF-DU-004)."""
        asked: list[Subscribe] = []
        size = 0
        for one in self._by_channel.values():
            if one.is_leaving or (one.wanted is None and one.position is None):
                continue
            request = request_of(one)
            size += request.ByteSize()
            if len(asked) == _MAX_NAMED or size > _MAX_NAMED_BYTES:
                break
            asked.append(request)
        return asked

    def welcomed(self, welcome: Welcome, *, is_first: bool, has_moved: bool) -> None:
        """Takes the list of the welcome for the whole truth (FF-HS-017)."""
        listed = set()
        for result in welcome.subscriptions:
            channel = Channel.from_wire(result.channel)
            if channel is None:
                continue
            listed.add(channel)
            if result.WhichOneof("result") == "error":
                self._refused(channel, result.error)
                continue
            if channel not in self._by_channel and not is_first:
                self._tell(self._listener.on_opened, channel)
            self.subscribed(channel, result.subscribed, has_moved=has_moved)
        for one in self:
            if one.channel not in listed:
                self._not_listed(one, resumed=welcome.resumed)

    def subscribed(self, channel: Channel, subscribed: Subscribed, *, has_moved: bool = False) -> None:
        """The server delivers this channel from now on. `has_moved`: another connection has brought messages since this
        was asked for.
        """
        one = self._by_channel.setdefault(channel, Subscription(channel))
        one.is_open = True
        one.is_lost = False
        one.is_durable = subscribed.delivery_class == channel_pb2.DELIVERY_CLASS_DURABLE
        if one.is_durable and not (has_moved and _is_further(one.position, subscribed)):
            one.position = subscribed.position
        one.roster = (one.roster or Roster()) if subscribed.presence else None
        if one.roster is not None:
            one.roster.forget()
        waiters, one.waiters = one.waiters, []
        if waiters and one.wanted is not None:
            # The application has chosen where to begin, and may read again what it had: FF-DU-005. Later the position
            # says it.
            one.wanted.ClearField("start")
            self._repeats.forget(channel)
        for waiter in waiters:
            waiter(subscribed)
        if subscribed.HasField("gap"):
            self._tell(self._listener.on_gap, channel, subscribed.gap)

    def detached(self, welcome: Welcome) -> None:
        """Live messages may have been missed in each channel, also where this welcome tells of no gap (FF-GO-011)."""
        told = {Channel.from_wire(one.channel) for one in welcome.subscriptions if one.subscribed.HasField("gap")}
        gap = Gap(reason=subscription_pb2.GAP_REASON_DETACHED)
        for one in self:
            if one.is_open and not one.is_durable and one.channel not in told:
                self._tell(self._listener.on_gap, one.channel, gap)

    def ended(self, one: Subscription, error: FanfareError) -> None:
        """The server does not deliver it any more, and says why."""
        self.remove(one.channel)
        reason = _REASON_OF_ERROR.get(error.code, subscription_pb2.SUBSCRIPTION_CLOSE_REASON_FAILED)
        self._tell(self._listener.on_closed, one.channel, reason, error)

    def take_message(self, message: Message) -> None:
        one = self._open(message.channel)
        if one is None:
            return
        epoch = None
        if one.is_durable and one.position is not None:
            if not self._may_take(one, step_of_message(one.position, message.log)):
                return
            epoch = one.position.epoch
        if self._repeats.is_new(message.origin, one.channel, volatile=message.volatile, seq=message.seq):
            self._tell(self._listener.on_message, Received.from_wire(one.channel, message, epoch))
        if epoch is not None:
            one.position = Position(epoch=epoch, offset=message.log.offset, tag=message.log.tag)

    def take_skip(self, skip: Skip) -> None:
        one = self._open(skip.channel)
        if one is None or not one.is_durable or one.position is None:
            return
        if self._may_take(one, step_of_skip(one.position, skip)):
            one.position = Position(epoch=one.position.epoch, offset=skip.to_offset, tag=skip.tag)

    def take_event(self, event: SubscriptionEvent) -> None:
        channel = Channel.from_wire(event.channel)
        if channel is None:
            return
        one = self._by_channel.get(channel)
        kind = event.WhichOneof("event")
        if kind == "opened":
            self._tell(self._listener.on_opened, channel)
            self.subscribed(channel, event.opened)
        elif one is None:
            return
        elif kind == "closed" and event.closed.reason == subscription_pb2.SUBSCRIPTION_CLOSE_REASON_FAILED:
            self._failed(one)
        elif kind == "closed":
            self.remove(channel)
            error = FanfareError.from_wire(event.closed.error) if event.closed.HasField("error") else None
            self._tell(self._listener.on_closed, channel, event.closed.reason, error)
        elif kind == "gap":
            if one.is_durable and event.gap.HasField("to"):
                one.position = event.gap.to
            self._tell(self._listener.on_gap, channel, event.gap)
        elif kind == "caught_up":
            self._tell(self._listener.on_caught_up, channel, event.caught_up.position)

    def take_presence(self, event: PresenceEvent) -> None:
        one = self._open(event.channel)
        if one is None or one.roster is None:
            return
        was_out_of_date = one.roster.is_out_of_date
        for change in one.roster.take(event):
            self._tell(self._listener.on_presence, one.channel, change)
        if one.roster.is_out_of_date and event.WhichOneof("event") == "diff" and not was_out_of_date:
            # FF-PR-014, unless the server does it by itself at once.
            self._ask_again(one, _PRESENCE_PATIENCE_S)

    def take_dropped(self, dropped: Dropped) -> None:
        self._tell(self._listener.on_dropped, dropped.count)

    def _open(self, wire: channel_pb2.Channel) -> Subscription | None:
        """FF-SB-016: what is not subscribed is ignored."""
        channel = Channel.from_wire(wire)
        one = self._by_channel.get(channel) if channel is not None else None
        return one if one is not None and one.is_open else None

    def _may_take(self, one: Subscription, step: Step) -> bool:
        if one.is_lost:
            return False
        if step is Step.RESYNCHRONISE:
            one.is_lost = True
            self._ask_again(one, 0.0)
        return step is Step.TAKE

    def _refused(self, channel: Channel, wire: Error) -> None:
        one = self._by_channel.get(channel)
        if one is None:
            return
        error = FanfareError.from_wire(wire)
        one.is_open = False
        waiters, one.waiters = one.waiters, []
        if waiters:
            self.remove(channel)
            for waiter in waiters:
                waiter(error)
        elif error.retryable:
            self._ask_again(one, error.retry_after_s)
        else:
            self.ended(one, error)

    def _failed(self, one: Subscription) -> None:
        """The server could not go on with it: it is asked for again (FF-SB-020)."""
        one.is_open = False
        if not one.is_durable:
            self._tell(self._listener.on_gap, one.channel, Gap(reason=subscription_pb2.GAP_REASON_DETACHED))
        if not one.waiters and not one.is_leaving:
            self._ask_again(one, 0.0)

    def _not_listed(self, one: Subscription, *, resumed: bool) -> None:
        was_open, one.is_open = one.is_open, False
        if one.wanted is not None:
            if was_open and resumed and not one.is_durable:
                # The server has closed it, because there was no room for it in the hello, and tells nothing of that.
                self._tell(self._listener.on_gap, one.channel, Gap(reason=subscription_pb2.GAP_REASON_DETACHED))
            if not one.waiters:
                self._ask_again(one, 0.0)
            return
        self.remove(one.channel)
        if was_open and not one.is_leaving:
            reason = subscription_pb2.SUBSCRIPTION_CLOSE_REASON_UNSPECIFIED
            self._tell(self._listener.on_closed, one.channel, reason, None)

    def _tell(self, method: Callable[..., None], *arguments: object) -> None:
        try:
            method(*arguments)
        except Exception:
            _log.exception("%s failed", method.__qualname__)


def request_of(one: Subscription) -> Subscribe:
    """Asks for what the application wants, from the position that it has reached."""
    request = Subscribe(channel=one.channel.to_wire())
    if one.wanted is not None:
        request.CopyFrom(one.wanted)
    if one.position is not None and not one.waiters:
        request.after.CopyFrom(one.position)
    return request


def _is_further(position: Position | None, subscribed: Subscribed) -> bool:
    there = subscribed.position
    return (
        position is not None
        and not subscribed.HasField("gap")
        and position.epoch == there.epoch
        and position.offset > there.offset
    )
