from typing import cast
from unittest import IsolatedAsyncioTestCase

from fanfare.v1 import error_pb2, publish_pb2
from fanfare.v1.error_pb2 import Error
from fanfare.v1.frames_pb2 import Reply
from fanfare.v1.message_pb2 import Payload
from fanfare.v1.publish_pb2 import Publish, PublishResult

from fanfare_client import Channel, FanfareError
from fanfare_client.connection import Connection
from fanfare_client.outbox import MAX_WAITING, Outbox, Outgoing
from tests.recording import FakeConnection


def publish(text: str, *, want_report: bool = False) -> Publish:
    channel = Channel.group("chat:lobby").to_wire()
    return Publish(channel=channel, payload=Payload(text=text), want_report=want_report)


def wire(connection: FakeConnection) -> Connection:
    return cast(Connection, connection)


def sent(connection: FakeConnection) -> list[tuple[str, int]]:
    return [(frame.publish.payload.text, frame.publish.seq) for frame in connection.sent]


def error_of(outgoing: Outgoing) -> FanfareError:
    result = outgoing.result.result()
    assert isinstance(result, FanfareError)
    return result


DELIVERED = Reply(publish_result=PublishResult(outcome=publish_pb2.OUTCOME_DELIVERED))


class Publishing(IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        self.outbox = Outbox()
        self.first = FakeConnection()

    def add(self, text: str) -> Outgoing:
        return self.outbox.add(publish(text))

    async def test_counts_from_one_over_volatile_and_others(self) -> None:
        self.add("a")
        self.outbox.pump(wire(self.first))
        self.outbox.send_volatile(wire(self.first), publish("v"))
        self.add("b")
        self.outbox.pump(wire(self.first))
        self.assertEqual(sent(self.first), [("a", 1), ("v", 2), ("b", 3)])

    async def test_waits_for_room_and_counts_only_what_it_sends(self) -> None:
        self.first = FakeConnection(most=1)
        self.add("a")
        self.add("b")
        self.outbox.pump(wire(self.first))
        self.outbox.send_volatile(wire(self.first), publish("v"))
        self.first.reply(DELIVERED)
        self.assertEqual(sent(self.first), [("a", 1), ("v", 2), ("b", 3)])

    async def test_repeats_what_has_no_answer_unchanged_in_order_and_before_anything_newer(self) -> None:
        a, _, c = self.add("a"), self.add("b"), self.add("c")
        self.outbox.pump(wire(self.first))
        self.outbox.send_volatile(wire(self.first), publish("v"))
        self.first.reply(DELIVERED)
        self.first.end()
        self.add("new")
        second = FakeConnection(most=2)
        self.outbox.repeat(wire(second))
        self.assertEqual(sent(second), [("b", 2), ("c", 3)])
        second.reply(DELIVERED)
        self.assertEqual(sent(second), [("b", 2), ("c", 3), ("new", 5)])
        self.assertEqual((a.result.done(), c.result.done()), (True, False))

    async def test_repeats_also_what_nobody_waits_for_any_more(self) -> None:
        a, b = self.add("a"), self.add("b")
        self.first = FakeConnection(most=1)
        self.outbox.pump(wire(self.first))
        self.assertFalse(self.outbox.give_up(a))
        self.assertTrue(self.outbox.give_up(b))
        self.first.end()
        second = FakeConnection()
        self.outbox.repeat(wire(second))
        self.assertEqual(sent(second), [("a", 1)])

    async def test_does_not_know_what_became_of_what_a_lost_session_had_sent(self) -> None:
        self.first = FakeConnection(most=1)
        a, b = self.add("a"), self.add("b")
        self.outbox.pump(wire(self.first))
        self.first.end()
        self.outbox.forget_session()
        self.assertEqual(error_of(a).outcome, publish_pb2.OUTCOME_UNKNOWN)
        second = FakeConnection()
        self.outbox.repeat(wire(second))
        self.assertEqual(sent(second), [("b", 1)])
        self.assertFalse(b.result.done())

    async def test_takes_no_outcome_for_a_success_that_it_does_not_know(self) -> None:
        outcomes = [publish_pb2.OUTCOME_FAILED, publish_pb2.OUTCOME_UNKNOWN, cast(publish_pb2.Outcome, 77)]
        all_outgoing = [self.add("x") for _ in outcomes]
        self.outbox.pump(wire(self.first))
        for outcome in outcomes:
            error = Error(code=error_pb2.ERROR_CODE_NOT_REPLICATED)
            self.first.reply(Reply(publish_result=PublishResult(outcome=outcome, error=error)))
        self.assertEqual([error_of(one).outcome for one in all_outgoing], outcomes)
        self.assertTrue(error_of(all_outgoing[0]).retryable)

    async def test_fails_what_is_larger_than_the_server_takes_and_uses_no_seq_twice(self) -> None:
        large, small = self.add("x" * 101), self.add("y")
        self.outbox.pump(wire(self.first))
        self.assertEqual(error_of(large).code, error_pb2.ERROR_CODE_TOO_LARGE)
        self.assertEqual([text for text, _ in sent(self.first)], ["y"])
        self.assertFalse(small.result.done())

    async def test_asks_for_a_report_only_where_there_are_any(self) -> None:
        for features, wanted in [((), False), (("report",), True)]:
            connection = FakeConnection(features=features)
            self.outbox.add(publish("r", want_report=True))
            self.outbox.pump(wire(connection))
            self.assertEqual(connection.sent[0].publish.want_report, wanted)

    async def test_refuses_more_than_its_bound(self) -> None:
        for _ in range(MAX_WAITING):
            self.add("x")
        with self.assertRaises(FanfareError) as caught:
            self.add("one more")
        self.assertEqual(caught.exception.code, error_pb2.ERROR_CODE_LIMIT_EXCEEDED)
