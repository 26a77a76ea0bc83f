"""How far a durable subscription has got, and what may come next (section 12.1)."""

from __future__ import annotations

from enum import Enum, auto

from fanfare.v1.channel_pb2 import Position
from fanfare.v1.message_pb2 import LogEntry, Skip


class Step(Enum):
    """What to do with an entry of the log."""

    TAKE = auto()
    DROP = auto()
    RESYNCHRONISE = auto()


def step_of_message(position: Position, entry: LogEntry) -> Step:
    if entry.offset <= position.offset:
        return Step.DROP
    follows = entry.offset == position.offset + 1 and entry.previous_tag == position.tag
    return Step.TAKE if follows else Step.RESYNCHRONISE


def step_of_skip(position: Position, skip: Skip) -> Step:
    if skip.to_offset <= position.offset:
        return Step.DROP
    follows = skip.from_offset == position.offset + 1 and skip.previous_tag == position.tag
    return Step.TAKE if follows or skip.from_offset <= position.offset else Step.RESYNCHRONISE
