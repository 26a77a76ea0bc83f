"""Asks the server for subscriptions, through whatever connections it takes (section 10)."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from fanfare.v1 import error_pb2
from fanfare.v1.frames_pb2 import ClientFrame, Reply
from fanfare.v1.subscription_pb2 import Subscribe, Subscribed, Unsubscribe

from .channel import Channel
from .connection import Connection
from .errors import FanfareError
from .requests import NoReplyError
from .subscriptions import Subscription, Subscriptions, request_of

_log = logging.getLogger("fanfare")


class Connected(Protocol):
    """Has a connection, or waits for one."""

    @property
    def connection(self) -> Connection | None: ...

    async def ready(self) -> Connection: ...


class Subscribing:
    """Goes on asking until there is an answer: the reply, or what the welcome of another connection says."""

    def __init__(self, subscriptions: Subscriptions, connected: Connected) -> None:
        self._subscriptions = subscriptions
        self._connected = connected

    async def subscribe(self, channel: Channel, request: Subscribe) -> Subscribed:
        """Raises why the server refused."""
        answer: asyncio.Future[Subscribed | FanfareError] = asyncio.get_running_loop().create_future()

        def settle(result: Subscribed | FanfareError) -> None:
            if not answer.done():
                answer.set_result(result)

        before = self._subscriptions.get(channel)
        wanted_before = before.wanted if before is not None else None
        one = self._subscriptions.want(channel, request)
        one.waiters.append(settle)
        try:
            while not answer.done():
                connection = await self._connected.ready()
                # While this waited, a welcome may have answered.
                if not answer.done():
                    subscribed = await self._ask(connection, one)
                    if subscribed is not None:
                        settle(subscribed)
            result = answer.result()
            if isinstance(result, FanfareError):
                raise result
        except BaseException:
            if settle in one.waiters:
                one.waiters.remove(settle)
            # FF-FR-011: what stood before a refused request still stands.
            one.wanted = wanted_before
            if not one.is_open:
                self._subscriptions.remove(channel)
            raise
        return result

    async def unsubscribe(self, channel: Channel) -> None:
        """Returns when nothing more of the channel comes. Raises NOT_SUBSCRIBED, at once or as the server's answer."""
        one = self._subscriptions.get(channel)
        if one is None:
            raise FanfareError(error_pb2.ERROR_CODE_NOT_SUBSCRIBED, "the channel is not subscribed")
        one.wanted = None
        one.is_leaving = True

        def on_reply(_: Reply | None) -> None:
            if one.is_leaving:
                self._subscriptions.remove(channel)

        frame = ClientFrame(unsubscribe=Unsubscribe(channel=channel.to_wire()))
        while self._subscriptions.get(channel) is one and one.is_leaving:
            connection = await self._connected.ready()
            if self._subscriptions.get(channel) is one:
                try:
                    await connection.call(frame, "unsubscribed", on_reply)
                except NoReplyError:
                    continue

    async def ask_again(self, connection: Connection, one: Subscription, delay_s: float) -> None:
        """For what the application wants already. Tries again after what is retryable, for as long as the connection is
        there.
        """
        try:
            while True:
                await asyncio.sleep(delay_s)
                is_current = connection is self._connected.connection and self._subscriptions.get(one.channel) is one
                if not is_current or one.is_leaving or not one.needs_asking:
                    return
                try:
                    await self._ask(connection, one)
                    return
                except FanfareError as error:
                    if not error.retryable:
                        self._subscriptions.ended(one, error)
                        return
                    delay_s = error.retry_after_s
        except Exception:
            _log.exception("%s was not subscribed again", one.channel)

    async def _ask(self, connection: Connection, one: Subscription) -> Subscribed | None:
        """None when the connection ended before the answer. Raises why the server refused."""

        def on_reply(reply: Reply | None) -> None:
            # In the order of frames: what stands behind the reply belongs to the new position.
            if reply is not None:
                self._subscriptions.subscribed(one.channel, reply.subscribed)

        request = request_of(one)
        start = request.WhichOneof("start")
        if start is not None and not connection.offers("cursor" if start == "cursor" else "durable"):
            request.ClearField("start")
        if not connection.offers("presence"):
            request.ClearField("presence")
            request.ClearField("presence_data")
        try:
            reply = await connection.call(ClientFrame(subscribe=request), "subscribed", on_reply)
        except NoReplyError:
            return None
        return reply.subscribed
