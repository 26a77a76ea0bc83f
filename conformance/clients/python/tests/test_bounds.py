from unittest import TestCase

from fanfare.v1.channel_pb2 import Channel, Position
from fanfare.v1.error_pb2 import ERROR_CODE_INVALID_ARGUMENT
from fanfare.v1.frames_pb2 import ClientFrame
from fanfare.v1.history_pb2 import CursorCommit, HistoryQuery
from fanfare.v1.message_pb2 import Payload
from fanfare.v1.publish_pb2 import Publish
from fanfare.v1.session_pb2 import Hello
from fanfare.v1.subscription_pb2 import Subscribe, Unsubscribe

from fanfare_client import FanfareError
from fanfare_client.bounds import check_bounds

GROUP = Channel(group="chat:lobby")


class CheckBounds(TestCase):
    def test_passes_what_keeps_them(self) -> None:
        check_bounds(ClientFrame(hello=Hello(token="t", attempt=1, subscriptions=[Subscribe(channel=GROUP)])))
        check_bounds(ClientFrame(publish=Publish(channel=Channel(broadcast=True), seq=2**53 - 1)))
        check_bounds(ClientFrame(cursor_commit=CursorCommit(channel=GROUP, position=Position())))

    def test_names_the_field_that_breaks_one(self) -> None:
        frames = {
            "hello.token": ClientFrame(hello=Hello(attempt=1)),
            "hello.attempt": ClientFrame(hello=Hello(token="t")),
            "hello.features[1]": ClientFrame(hello=Hello(token="t", attempt=1, features=["resume", "no blank"])),
            "hello.subscriptions": ClientFrame(
                hello=Hello(token="t", attempt=1, subscriptions=[Subscribe(channel=GROUP)] * 257)
            ),
            "hello.subscriptions[0].channel": ClientFrame(
                hello=Hello(token="t", attempt=1, subscriptions=[Subscribe(rewind=1)])
            ),
            "unsubscribe.channel.kind": ClientFrame(unsubscribe=Unsubscribe(channel=Channel())),
            "unsubscribe.channel.group": ClientFrame(unsubscribe=Unsubscribe(channel=Channel(group=""))),
            "unsubscribe.channel.broadcast": ClientFrame(unsubscribe=Unsubscribe(channel=Channel(broadcast=False))),
            "publish.seq": ClientFrame(publish=Publish(channel=GROUP)),
            "publish.ttl_ms": ClientFrame(publish=Publish(channel=GROUP, seq=1, ttl_ms=2592000001)),
            "publish.conflation_key": ClientFrame(publish=Publish(channel=GROUP, seq=1, conflation_key="ä" * 33)),
            "publish.payload.text": ClientFrame(
                publish=Publish(channel=GROUP, seq=1, payload=Payload(text="x" * 1048577))
            ),
            "history.limit": ClientFrame(history=HistoryQuery(channel=GROUP, limit=1001)),
            "cursor_commit.position": ClientFrame(cursor_commit=CursorCommit(channel=GROUP)),
        }
        for field, frame in frames.items():
            with self.subTest(field), self.assertRaises(FanfareError) as caught:
                check_bounds(frame)
            self.assertEqual((caught.exception.code, caught.exception.field), (ERROR_CODE_INVALID_ARGUMENT, field))
