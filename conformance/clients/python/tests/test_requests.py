import asyncio
from unittest import IsolatedAsyncioTestCase

from fanfare.v1.frames_pb2 import Reply

from fanfare_client.requests import NoReplyError, Requests


class RequestsOfAConnection(IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        self.requests = Requests()
        self.requests.most = 2
        self.replies: list[tuple[int, Reply | None]] = []

    def ask(self) -> int:
        request_id = self.requests.next_id()
        self.requests.add(request_id, lambda reply: self.replies.append((request_id, reply)))
        return request_id

    async def test_go_by_an_id_that_no_other_has(self) -> None:
        first, second = self.ask(), self.ask()
        self.requests.replied(second, Reply())
        self.requests.replied(second, Reply())
        self.requests.replied(99, Reply())
        self.assertEqual(self.replies, [(second, Reply())])
        self.assertNotIn(self.requests.next_id(), [first, second])

    async def test_wait_in_line_for_room(self) -> None:
        first = self.ask()
        self.ask()
        in_line = asyncio.create_task(self.requests.room())
        await asyncio.sleep(0)
        self.assertFalse(in_line.done())
        self.requests.replied(first, Reply())
        await in_line
        self.assertTrue(self.requests.has_room)

    async def test_leave_the_line_when_they_are_given_up(self) -> None:
        first = self.ask()
        self.ask()
        in_line = asyncio.create_task(self.requests.room())
        await asyncio.sleep(0)
        in_line.cancel()
        await asyncio.gather(in_line, return_exceptions=True)
        self.requests.replied(first, Reply())
        self.assertTrue(self.requests.has_room)

    async def test_wait_while_they_are_held(self) -> None:
        self.requests.hold(True)
        in_line = asyncio.create_task(self.requests.room())
        await asyncio.sleep(0)
        self.assertFalse(in_line.done())
        self.requests.hold(False)
        await in_line

    async def test_get_no_reply_when_the_connection_has_ended(self) -> None:
        first = self.ask()
        self.requests.hold(True)
        in_line = asyncio.create_task(self.requests.room())
        await asyncio.sleep(0)
        self.requests.abandon()
        with self.assertRaises(NoReplyError):
            await in_line
        second = self.ask()
        self.assertEqual(self.replies, [(first, None), (second, None)])
