"""What tests listen and send with."""

from __future__ import annotations

from collections.abc import Callable

from fanfare.v1.channel_pb2 import Position
from fanfare.v1.frames_pb2 import ClientFrame, Reply
from fanfare.v1.session_pb2 import Limits, Welcome
from fanfare.v1.subscription_pb2 import Gap, GapReason, SubscriptionCloseReason

from fanfare_client import Channel, FanfareError, Listener, Received
from fanfare_client.dialing import Ending


class Recorder(Listener):
    """Notes what it is told, in words."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def take(self) -> list[str]:
        told, self.told = self.told, []
        return told

    def on_message(self, message: Received) -> None:
        where = "" if message.position is None else f" at {message.position.offset}"
        self.told.append(f"{message.payload.text}{where}")

    def on_gap(self, channel: Channel, gap: Gap) -> None:
        self.told.append(f"gap {GapReason.Name(gap.reason).removeprefix('GAP_REASON_')} {channel.name}".rstrip())

    def on_opened(self, channel: Channel) -> None:
        self.told.append(f"opened {channel.name}")

    def on_closed(self, channel: Channel, reason: SubscriptionCloseReason, error: FanfareError | None) -> None:
        name = SubscriptionCloseReason.Name(reason).removeprefix("SUBSCRIPTION_CLOSE_REASON_")
        self.told.append(f"closed {name} {channel.name}")

    def on_caught_up(self, channel: Channel, position: Position) -> None:
        self.told.append(f"caught up at {position.offset}")


class FakeConnection:
    """Keeps what is sent. `replies` are given by hand."""

    def __init__(self, features: tuple[str, ...] = (), most: int = 16) -> None:
        limits = Limits(max_pending_requests=most, max_payload_bytes=100, max_frame_bytes=1000)
        self.welcome = Welcome(features=features, limits=limits)
        self.ending: Ending | None = None
        self.sent: list[ClientFrame] = []
        self._pending: list[Callable[[Reply | None], None]] = []
        self._most = most

    @property
    def has_room(self) -> bool:
        return len(self._pending) < self._most

    def offers(self, feature: str) -> bool:
        return feature in self.welcome.features

    def send(self, frame: ClientFrame) -> None:
        copy = ClientFrame()
        copy.CopyFrom(frame)
        self.sent.append(copy)

    def request(self, frame: ClientFrame, on_reply: Callable[[Reply | None], None]) -> None:
        self.send(frame)
        self._pending.append(on_reply)

    def reply(self, reply: Reply) -> None:
        """To the oldest request that has none."""
        self._pending.pop(0)(reply)

    def end(self) -> None:
        self.ending = Ending()
        for on_reply in self._pending:
            on_reply(None)
