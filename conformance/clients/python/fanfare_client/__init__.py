"""A Fanfare client for asyncio.

async with await connect("wss://example.com/v1/connect", get_token, listener=MyListener()) as client:
    await client.subscribe(Channel.group("chat:lobby"))
    await client.publish(Channel.group("chat:lobby"), Payload(text="hello"))
"""

from fanfare.v1.channel_pb2 import Position
from fanfare.v1.message_pb2 import Payload

from .channel import Channel
from .client import Client, connect
from .errors import FanfareError
from .life import FEATURES
from .listener import Listener, State, Status
from .received import Page, Received
from .roster import Change, Counted, Joined, Left, Present, Updated

__all__ = [
    "FEATURES",
    "Change",
    "Channel",
    "Client",
    "Counted",
    "FanfareError",
    "Joined",
    "Left",
    "Listener",
    "Page",
    "Payload",
    "Position",
    "Present",
    "Received",
    "State",
    "Status",
    "Updated",
    "connect",
]
