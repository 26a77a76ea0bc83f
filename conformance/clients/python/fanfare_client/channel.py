"""Where messages are sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fanfare.v1 import channel_pb2


@dataclass(frozen=True, slots=True)
class Channel:
    """A player, a group, or everybody. Unlike the message of the same name it can be the key of a dictionary."""

    kind: Literal["player", "group", "broadcast"]
    name: str = ""

    @classmethod
    def player(cls, player_id: str) -> Channel:
        """Every session of one player."""
        return cls("player", player_id)

    @classmethod
    def group(cls, name: str) -> Channel:
        """Every session that subscribes the group. What stands before the first colon is its namespace."""
        return cls("group", name)

    @classmethod
    def broadcast(cls) -> Channel:
        """Every session of the app."""
        return cls("broadcast")

    @classmethod
    def from_wire(cls, channel: channel_pb2.Channel) -> Channel | None:
        """None for a kind of channel that this client does not know."""
        match channel.WhichOneof("kind"):
            case "player":
                return cls.player(channel.player)
            case "group":
                return cls.group(channel.group)
            case "broadcast":
                return cls.broadcast()
            case _:
                return None

    def to_wire(self) -> channel_pb2.Channel:
        match self.kind:
            case "player":
                return channel_pb2.Channel(player=self.name)
            case "group":
                return channel_pb2.Channel(group=self.name)
            case "broadcast":
                return channel_pb2.Channel(broadcast=True)
