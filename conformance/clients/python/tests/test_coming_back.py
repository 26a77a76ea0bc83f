import asyncio
from collections.abc import Callable
from typing import cast
from unittest import IsolatedAsyncioTestCase, TestCase

from fanfare.v1.session_pb2 import Welcome

from fanfare_client.closing import ComeBack, Policy, after_close, after_status
from fanfare_client.connection import Connection
from fanfare_client.delays import Delays
from fanfare_client.dialing import Ending
from fanfare_client.returning import Returning


class AfterClose(TestCase):
    def test_obeys_the_table(self) -> None:
        self.assertEqual(after_close(4000), Policy(ComeBack.NEVER, session_ends=True))
        self.assertEqual(after_close(4009), Policy(ComeBack.NEVER))
        self.assertEqual(after_close(4103), Policy(ComeBack.BACK_OFF, least_wait_s=1.0))
        self.assertEqual(after_close(4203), Policy(ComeBack.SOON, session_ends=True))
        self.assertEqual(after_close(4301), Policy(ComeBack.NEW_TOKEN))

    def test_obeys_the_range_of_a_code_that_it_does_not_know(self) -> None:
        ranges = {4099: ComeBack.NEVER, 4199: ComeBack.BACK_OFF, 4299: ComeBack.SOON, 4399: ComeBack.NEW_TOKEN}
        for code, come_back in ranges.items():
            self.assertEqual(after_close(code), Policy(come_back))

    def test_backs_off_after_what_is_in_no_table(self) -> None:
        for code in [None, 0, 1000, 1006, 1013, 3000, 4400, 4999]:
            self.assertEqual(after_close(code), Policy(ComeBack.BACK_OFF))

    def test_does_not_repeat_what_a_websocket_refused(self) -> None:
        for code in [1002, 1003, 1007, 1009, 1010]:
            self.assertEqual(after_close(code), Policy(ComeBack.NEVER))


class AfterStatus(TestCase):
    def test_gives_up_where_there_is_nothing(self) -> None:
        self.assertIs(after_status(404, 0, was_welcomed=False).come_back, ComeBack.NEVER)

    def test_backs_off_where_there_was_something(self) -> None:
        self.assertIs(after_status(404, 0, was_welcomed=True).come_back, ComeBack.BACK_OFF)

    def test_waits_as_long_as_it_is_told(self) -> None:
        waits = {(503, 0.0): 1.0, (503, 30.0): 30.0, (503, 31.0): 30.0, (500, 0.0): 0.0, (301, 0.5): 0.5}
        for (status, retry_after_s), wait_s in waits.items():
            policy = after_status(status, retry_after_s, was_welcomed=False)
            self.assertEqual(policy, Policy(ComeBack.BACK_OFF, wait_s))


def greatest(_: float, bound: float) -> float:
    return bound


class DelaysDrawn(TestCase):
    def test_double_up_to_a_bound(self) -> None:
        delays = Delays(greatest)
        self.assertEqual([delays.back_off() for _ in range(9)], [0.25, 0.5, 1, 2, 4, 8, 16, 30, 30])

    def test_begin_at_nothing(self) -> None:
        self.assertEqual(Delays(lambda least, _: least).back_off(), 0.0)

    def test_are_never_below_the_least_wait(self) -> None:
        self.assertEqual(Delays(greatest).back_off(1.0), 1.0)

    def test_begin_anew_when_a_connection_has_held(self) -> None:
        delays = Delays(greatest)
        delays.back_off()
        delays.back_off()
        delays.held()
        self.assertEqual(delays.back_off(), 0.25)

    def test_spread_over_the_window_once(self) -> None:
        delays = Delays(greatest)
        self.assertEqual(delays.soon(), 2.0)
        self.assertEqual(delays.soon(), 0.25)
        delays.held()
        delays.welcomed(0.5)
        self.assertEqual(delays.soon(), 0.5)


class Ended:
    """A connection that has ended."""

    url = "ws://play.example"

    def __init__(self, code: int, welcome: Welcome | None = None) -> None:
        self.ending = Ending(close_code=code)
        self.welcome = welcome


class NewToken(IsolatedAsyncioTestCase):
    async def test_comes_back_at_once_with_it(self) -> None:
        returning = await self._with_tokens("one", "two")
        self.assertEqual(await _wait_after(returning, 4300, Welcome()), 0.0)
        await returning.take_token()
        self.assertEqual(returning.token, "two")

    async def test_backs_off_with_the_same_one(self) -> None:
        returning = await self._with_tokens("one", "one")
        self.assertEqual(await _wait_after(returning, 4300, Welcome()), 0.25)

    async def test_backs_off_where_the_last_one_was_refused_too(self) -> None:
        returning = await self._with_tokens("one", "two", "three")
        self.assertEqual(await _wait_after(returning, 4300), 0.0)
        await returning.take_token()
        self.assertEqual(await _wait_after(returning, 4301), 0.25)
        await returning.take_token()
        self.assertEqual(returning.token, "three")

    async def test_backs_off_where_there_is_none(self) -> None:
        returning = await self._with_tokens("one")
        with self.assertLogs("fanfare"):
            self.assertEqual(await _wait_after(returning, 4300, Welcome()), 0.25)

    async def _with_tokens(self, *tokens: str) -> Returning:
        returning = Returning(_provider(list(tokens)), Delays(greatest))
        await returning.take_token()
        return returning


async def _wait_after(returning: Returning, code: int, welcome: Welcome | None = None) -> float | None:
    return await returning.wait_after(cast(Connection, Ended(code, welcome)))


def _provider(tokens: list[str]) -> Callable[[], asyncio.Future[str]]:
    def provide() -> asyncio.Future[str]:
        token = asyncio.get_running_loop().create_future()
        token.set_result(tokens.pop(0))
        return token

    return provide
