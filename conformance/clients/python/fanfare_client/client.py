"""The client, as its application uses it."""

from __future__ import annotations

import asyncio
import inspect
import platform
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

from fanfare.v1 import error_pb2, history_pb2
from fanfare.v1.channel_pb2 import Position
from fanfare.v1.frames_pb2 import ClientFrame, Reply
from fanfare.v1.history_pb2 import CursorCommit, HistoryQuery
from fanfare.v1.message_pb2 import Payload
from fanfare.v1.presence_pb2 import PresencePage, PresenceQuery, PresenceUpdate
from fanfare.v1.publish_pb2 import Publish, PublishResult
from fanfare.v1.rpc_pb2 import Rpc
from fanfare.v1.session_pb2 import ClientInfo
from fanfare.v1.subscription_pb2 import Subscribe, Subscribed

from .address import origin_of
from .bounds import check_bounds
from .channel import Channel
from .codec import CODECS
from .delays import Delays
from .errors import FanfareError
from .handlers import Handler
from .life import Address, Life
from .listener import Listener
from .outbox import unknown
from .received import Page
from .requests import NoReplyError
from .returning import Returning
from .roster import Present

NAME = "fanfare-python"
VERSION = "0.1.0"

# How long a request may take, reconnects included, in seconds.
REQUEST_TIMEOUT_S = 30.0
CALL_TIMEOUT_S = 5.0

GetToken = Callable[[], str | Awaitable[str]]


async def connect(
    url: str,
    get_token: GetToken,
    *,
    listener: Listener | None = None,
    allowed_origins: Sequence[str] = (),
    subprotocols: Sequence[str] = ("fanfare.v1.proto",),
) -> Client:
    """Connects, and returns at the first welcome; from then on the client comes back by itself until it is closed.

    `get_token` is asked for a token whenever one is needed: for each connection and before a token expires.
    `allowed_origins` are URLs to whose origin (scheme, host, port) a server may send the client. Raises FanfareError
    when a server says that it is not to come back, and ValueError for what is no WebSocket URL. Until then it goes on
    trying: `asyncio.timeout` bounds that.
    """
    client = Client(url, get_token, listener or Listener(), allowed_origins, subprotocols)
    try:
        await client._life.begun()
    except BaseException:
        await client.close()
        raise
    return client


class Client:
    """A session of a player. Made by `connect`; an asynchronous context manager that closes it."""

    def __init__(
        self,
        url: str,
        get_token: GetToken,
        listener: Listener,
        allowed_origins: Sequence[str],
        subprotocols: Sequence[str],
    ) -> None:
        for one in (url, *allowed_origins):
            origin_of(one)
        if not subprotocols or not CODECS.keys() >= set(subprotocols):
            raise ValueError(f"subprotocols are among {', '.join(CODECS)}")

        async def provide() -> str:
            token = get_token()
            return await token if inspect.isawaitable(token) else token

        info = ClientInfo(name=NAME, version=VERSION, platform=f"Python {platform.python_version()}")
        address = Address(url, tuple(allowed_origins), tuple(subprotocols), info)
        returning = Returning(provide, Delays(random.uniform))
        self._life = Life(address, returning, listener)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the session. What waits for an answer fails."""
        await self._life.close()

    def drop_transport(self) -> None:
        """Cuts the connection as a failing network would, to see how an application takes it."""
        if self._life.connection is not None:
            self._life.connection.drop()

    async def subscribe(
        self,
        channel: Channel,
        *,
        after: Position | None = None,
        rewind: int | None = None,
        cursor: bool = False,
        head: bool = False,
        presence: bool = False,
        presence_data: Payload | None = None,
        timeout_s: float = REQUEST_TIMEOUT_S,
    ) -> Subscribed:
        """Receives a channel from now on, also after reconnects, until it is unsubscribed or closed by the server.

        At most one of the next four says where to begin in a durable channel: after a position, with the last n
        messages, after the player's cursor, or with the next message. By default the server decides: after the cursor,
        or with the next message. Raises why the server refused, and DEADLINE_EXCEEDED.

        `presence` asks to be told who is there, as far as the channel tells; `presence_data` is what others see beside
        this player.
        """
        request = Subscribe(channel=channel.to_wire(), presence=presence, presence_data=presence_data)
        if after is not None:
            request.after.CopyFrom(after)
        if rewind is not None:
            request.rewind = rewind
        if cursor:
            request.cursor = True
        if head:
            request.head = True
        check_bounds(request, "subscribe.")
        async with _deadline(timeout_s):
            return await self._life.subscribing.subscribe(channel, request)

    async def unsubscribe(self, channel: Channel, *, timeout_s: float = REQUEST_TIMEOUT_S) -> None:
        """Nothing of the channel is handed over once this has returned. Raises NOT_SUBSCRIBED and DEADLINE_EXCEEDED."""
        async with _deadline(timeout_s):
            await self._life.subscribing.unsubscribe(channel)

    async def publish(
        self,
        channel: Channel,
        payload: Payload,
        *,
        ttl_ms: int = 0,
        exclude_self: bool = False,
        want_report: bool = False,
        timeout_s: float = REQUEST_TIMEOUT_S,
    ) -> PublishResult:
        """Sends a message and waits for what became of it, also through reconnects. The outcome is DELIVERED, STORED or
        OFFLINE.

        Raises FanfareError for anything else. Its `outcome` is UNKNOWN if the message may have been sent, and
        UNSPECIFIED if it was never admitted.
        """
        publish = Publish(
            channel=channel.to_wire(),
            payload=payload,
            ttl_ms=ttl_ms,
            exclude_self=exclude_self,
            want_report=want_report,
        )
        _check_publish(publish)
        self._life.check_alive()
        outbox = self._life.outbox
        outgoing = outbox.add(publish)
        if self._life.connection is not None:
            outbox.pump(self._life.connection)
        try:
            async with asyncio.timeout(timeout_s):
                result = await outgoing.result
        except TimeoutError:
            if outbox.give_up(outgoing):
                raise FanfareError(error_pb2.ERROR_CODE_DEADLINE_EXCEEDED, "it was not sent in time") from None
            raise unknown("no reply came in time") from None
        except asyncio.CancelledError:
            outbox.give_up(outgoing)
            raise
        if isinstance(result, FanfareError):
            raise result
        return result

    def send(
        self,
        channel: Channel,
        payload: Payload,
        *,
        conflation_key: str = "",
        ttl_ms: int = 0,
        exclude_self: bool = False,
    ) -> bool:
        """Sends a volatile message and does not wait. Whether it was sent: one that cannot go at once is dropped (FF-
        PB-017).
        """
        publish = Publish(
            channel=channel.to_wire(),
            payload=payload,
            volatile=True,
            conflation_key=conflation_key,
            ttl_ms=ttl_ms,
            exclude_self=exclude_self,
        )
        _check_publish(publish)
        self._life.check_alive()
        connection = self._life.newest
        if connection is None or connection.is_congested:
            return False
        self._life.outbox.send_volatile(connection, publish)
        return True

    async def history(
        self,
        channel: Channel,
        *,
        start: Position | None = None,
        forward: bool = False,
        limit: int = 0,
        timeout_s: float = REQUEST_TIMEOUT_S,
    ) -> Page:
        """A page of the log of a durable channel: from `start`, not included, or from the end at which the direction
        begins.

        `next` of the page is the `start` of the one after it. Raises POSITION_INVALID where the log has another entry
        at `start`.
        """
        direction = history_pb2.HISTORY_DIRECTION_FORWARD if forward else history_pb2.HISTORY_DIRECTION_BACKWARD
        query = HistoryQuery(channel=channel.to_wire(), direction=direction, limit=limit)
        if start is not None:
            getattr(query, "from").CopyFrom(start)
        check_bounds(query, "history.")
        reply = await self._ask("history", ClientFrame(history=query), "history_page", timeout_s)
        return Page.from_wire(channel, reply.history_page)

    async def commit(
        self, channel: Channel, position: Position | None = None, *, timeout_s: float = REQUEST_TIMEOUT_S
    ) -> Position:
        """Keeps how far the player has read, by default up to the last message that was handed over. Returns the cursor
        as it stands.

        Raises FAILED_PRECONDITION for a position that was not reached (FF-HI-009), and POSITION_INVALID.
        """
        subscription = self._life.subscriptions.get(channel)
        reached = subscription.position if subscription is not None else None
        if position is None:
            position = reached
        if position is None or (reached and reached.epoch == position.epoch and reached.offset < position.offset):
            raise FanfareError(error_pb2.ERROR_CODE_FAILED_PRECONDITION, "that position was not reached")
        commit = CursorCommit(channel=channel.to_wire(), position=position)
        check_bounds(commit, "cursor_commit.")
        reply = await self._ask("cursor", ClientFrame(cursor_commit=commit), "cursor_committed", timeout_s)
        return reply.cursor_committed.cursor

    def present(self, channel: Channel) -> Present:
        """Who is in a channel, as this client knows it. Raises NOT_SUBSCRIBED where it is not told."""
        subscription = self._life.subscriptions.get(channel)
        if subscription is None or subscription.roster is None:
            raise FanfareError(error_pb2.ERROR_CODE_NOT_SUBSCRIBED, "the channel is not subscribed with presence")
        return subscription.roster.present()

    async def ask_presence(
        self,
        channel: Channel,
        *,
        page_size: int = 0,
        page_token: str = "",
        counts_only: bool = False,
        timeout_s: float = REQUEST_TIMEOUT_S,
    ) -> PresencePage:
        """Asks the server who is in a channel, subscribed or not. Its `next_page_token` asks for the next page."""
        query = PresenceQuery(
            channel=channel.to_wire(), page_size=page_size, page_token=page_token, counts_only=counts_only
        )
        check_bounds(query, "presence.")
        reply = await self._ask("presence", ClientFrame(presence=query), "presence_page", timeout_s)
        return reply.presence_page

    async def show(self, channel: Channel, data: Payload, *, timeout_s: float = REQUEST_TIMEOUT_S) -> None:
        """Changes what others see beside this player in a subscribed channel, also after reconnects."""
        update = PresenceUpdate(channel=channel.to_wire(), data=data)
        check_bounds(update, "presence_update.")
        await self._ask("presence", ClientFrame(presence_update=update), "presence_updated", timeout_s)
        subscription = self._life.subscriptions.get(channel)
        if subscription is not None and subscription.wanted is not None:
            subscription.wanted.presence_data.CopyFrom(data)

    async def call(self, method: str, payload: Payload, *, timeout_s: float = CALL_TIMEOUT_S) -> Payload:
        """Calls the game's backend. Raises its error; DEADLINE_EXCEEDED also where the connection ended, because a call
        is not repeated.
        """
        rpc = Rpc(method=method, payload=payload, deadline_ms=round(timeout_s * 1000))
        check_bounds(rpc, "rpc.")
        async with _deadline(timeout_s):
            connection = await self._life.ready()
            if not connection.offers("client_rpc"):
                raise FanfareError(error_pb2.ERROR_CODE_UNIMPLEMENTED, "the server has no client_rpc")
            try:
                reply = await connection.call(ClientFrame(rpc=rpc), "rpc_result")
            except NoReplyError:
                message = "the connection ended before the result came"
                raise FanfareError(error_pb2.ERROR_CODE_DEADLINE_EXCEEDED, message) from None
        result = reply.rpc_result
        if result.WhichOneof("result") != "payload":
            raise FanfareError.from_wire(result.error)
        return result.payload

    def handle(self, method: str, handler: Handler) -> None:
        """Answers the backend's calls of a method, from now on. A FanfareError that the handler raises is the answer;
        for others it is INTERNAL.
        """
        self._life.handlers.set(method, handler)

    async def _ask(self, feature: str, frame: ClientFrame, result: str, timeout_s: float) -> Reply:
        """For requests that do no harm when they are asked twice."""
        async with _deadline(timeout_s):
            while True:
                connection = await self._life.ready()
                if not connection.offers(feature):
                    raise FanfareError(error_pb2.ERROR_CODE_UNIMPLEMENTED, f"the server has no {feature}")
                try:
                    return await connection.call(frame, result)
                except NoReplyError:
                    continue


@asynccontextmanager
async def _deadline(timeout_s: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except TimeoutError:
        raise FanfareError(error_pb2.ERROR_CODE_DEADLINE_EXCEEDED, "no answer came in time") from None


def _check_publish(publish: Publish) -> None:
    # The seq is counted when it is sent.
    publish.seq = 1
    check_bounds(publish, "publish.")
    publish.seq = 0
