"""One WebSocket, from its hello to its end: requests and replies, heartbeat, closing."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from fanfare.v1 import close_pb2, error_pb2
from fanfare.v1.error_pb2 import Error
from fanfare.v1.frames_pb2 import ClientFrame, ClientFrames, Reply, ServerFrame
from fanfare.v1.rpc_pb2 import RpcResult
from fanfare.v1.session_pb2 import Goaway, Hello, Limits, Ping, Pong, Welcome
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from .codec import CODECS, Codec, MalformedError
from .dialing import CLOSE_TIMEOUT_S, DialError, Ending, dial
from .errors import FanfareError
from .requests import DEFAULT_MOST, NoReplyError, OnReply, Requests, check_reply
from .silence import Sign, Silence

_log = logging.getLogger("fanfare")

# From the start of the connection to its welcome, in seconds (FF-HS-019).
WELCOME_TIMEOUT_S = 15.0
# What waits to be written. A peer that lets it fill up reads nothing any more: the connection is taken for dead.
MAX_OUTGOING_BYTES = 8 * 1024 * 1024
CONGESTED_BYTES = 64 * 1024


class Handler(Protocol):
    """What a connection tells, in the order in which it comes, and never while it is being asked for something."""

    def welcomed(self, connection: Connection, welcome: Welcome) -> None: ...

    def received(self, connection: Connection, frame: ServerFrame) -> None:
        """A frame that is no answer and no sign of life."""
        ...

    def ended(self, connection: Connection) -> None: ...


class Cancellable(Protocol):
    """A timer or a task."""

    def cancel(self) -> object: ...


class Connection:
    """A connection that `open` opens."""

    def __init__(self, url: str, subprotocols: Sequence[str], handler: Handler) -> None:
        self.url = url
        self.welcome: Welcome | None = None
        self.welcomed_at_s = 0.0
        self.ending: Ending | None = None
        # Set when it has ended.
        self.over = asyncio.Event()
        # Set when it has ended, and when the time has come at which `goaway` demands to leave.
        self.leave = asyncio.Event()
        self.goaway: Goaway | None = None
        self._subprotocols = subprotocols
        self._handler = handler
        self._loop = asyncio.get_running_loop()
        self._socket: ClientConnection | None = None
        self._codec: Codec = next(iter(CODECS.values()))
        self._greeted = asyncio.Event()
        self._error: Error | None = None
        self._requests = Requests()
        self._outgoing: deque[bytes | str] = deque()
        self._outgoing_bytes = 0
        self._wake_writer = asyncio.Event()
        self._silence: Silence | None = None
        self._leave_timer: asyncio.TimerHandle | None = None
        self._attached: list[Cancellable] = []
        self._tasks: list[asyncio.Task[Any]] = []

    async def open(self, make_hello: Callable[[], Hello]) -> None:
        """Returns when it was welcomed, or has ended."""
        try:
            async with asyncio.timeout(WELCOME_TIMEOUT_S):
                self._socket = await dial(self.url, self._subprotocols)
                if self.ending is not None:
                    self._socket.transport.abort()
                    return
                self._run(self._read(self._socket), self._write(self._socket))
                if self._socket.subprotocol not in CODECS:
                    # A server of something else, and a token is not for that.
                    self._end(Ending(close_code=close_pb2.CLOSE_CODE_UNSUPPORTED_SUBPROTOCOL))
                    return
                self._codec = CODECS[self._socket.subprotocol]
                self.send(ClientFrame(hello=make_hello()))
                await self._greeted.wait()
        except DialError as error:
            self._end(error.ending)
        except TimeoutError:
            self.close()
        except asyncio.CancelledError:
            self.close()
            raise

    def offers(self, feature: str) -> bool:
        """Whether a feature is in force."""
        return self.welcome is not None and feature in self.welcome.features

    @property
    def _limits(self) -> Limits:
        """0 stands for what the server has not told, though FF-HS-013 demands it."""
        return self.welcome.limits if self.welcome is not None else Limits()

    @property
    def has_room(self) -> bool:
        """Whether one more request may wait for its reply."""
        return self._requests.has_room

    def hold_requests(self, is_held: bool) -> None:
        """Lets requests wait, or go on."""
        self._requests.hold(is_held)

    def abandon_requests(self) -> None:
        """What has no reply yet will get none here."""
        self._requests.abandon()

    def request(self, frame: ClientFrame, on_reply: OnReply) -> None:
        """Sends a request under an id of its own. `on_reply` is called in the order of frames, with None if the
        connection ends before.

        Raises TOO_LARGE if the message would be larger than the server takes.
        """
        frame.id = self._requests.next_id()
        self.send(frame)
        self._requests.add(frame.id, on_reply)

    async def call(self, frame: ClientFrame, result: str, on_reply: OnReply = lambda _: None) -> Reply:
        """As `request`, when there is room. `on_reply` is called for a reply whose kind is `result`.

        Raises the error of the reply, INTERNAL for one of another kind, and NoReplyError.
        """
        answer: asyncio.Future[Reply | None] = self._loop.create_future()

        def take(reply: Reply | None) -> None:
            if reply is not None and reply.WhichOneof("result") == result:
                on_reply(reply)
            if not answer.done():
                answer.set_result(reply)

        await self._requests.room()
        self.request(frame, take)
        reply = await answer
        if reply is None:
            raise NoReplyError
        check_reply(reply, result)
        return reply

    def send(self, frame: ClientFrame) -> None:
        """Sends a frame that has no reply. Raises TOO_LARGE if the message would be larger than the server takes."""
        if self.ending is not None:
            return
        data = self._codec.encode(ClientFrames(frames=[frame]))
        size = len(data) if isinstance(data, bytes) else len(data.encode())
        most = self._limits.max_frame_bytes
        if most != 0 and size > most:
            raise FanfareError(
                error_pb2.ERROR_CODE_TOO_LARGE, f"a message of {size} bytes is larger than the server takes"
            )
        self._outgoing.append(data)
        self._outgoing_bytes += len(data)
        self._wake_writer.set()
        if self._outgoing_bytes > MAX_OUTGOING_BYTES:
            self._loop.call_soon(self.drop)

    @property
    def is_congested(self) -> bool:
        """So much waits to be written that what is of no use later is better not sent."""
        return self._outgoing_bytes > CONGESTED_BYTES

    def attach(self, one: Cancellable) -> None:
        """Cancels it at the end of the connection."""
        self._attached.append(one)

    def close(self, code: int | None = None) -> None:
        """Ends the connection at once, without waiting for the peer. None: as a WebSocket is closed that has no more to
        say.
        """
        self._end(Ending(close_code=code), code)

    def drop(self) -> None:
        """Ends the transport, as if the network had."""
        if self._socket is not None:
            self._socket.transport.abort()
        self._end(Ending())

    def _run(self, *coroutines: Any) -> None:
        self._tasks += [self._loop.create_task(one) for one in coroutines]

    async def _read(self, socket: ClientConnection) -> None:
        try:
            while True:
                self._take(await socket.recv())
        except ConnectionClosed:
            self._end(Ending(close_code=socket.close_code, error=self._error))
        except Exception:
            _log.exception("a message was not handled")
            self.drop()

    async def _write(self, socket: ClientConnection) -> None:
        try:
            while True:
                await self._wake_writer.wait()
                self._wake_writer.clear()
                await self._flush(socket)
        except ConnectionClosed:
            pass  # The reader says so.

    async def _flush(self, socket: ClientConnection) -> None:
        while self._outgoing:
            data = self._outgoing.popleft()
            self._outgoing_bytes -= len(data)
            await socket.send(data)

    def _take(self, data: bytes | str) -> None:
        if self.ending is not None:
            return
        if self._silence is not None:
            self._silence.heard(self._loop.time())
        try:
            frames = self._codec.decode(data).frames
        except MalformedError:
            self.close(close_pb2.CLOSE_CODE_PROTOCOL_ERROR)  # FF-TR-019
            return
        for frame in frames:
            # A frame can make this side close, and what stands behind it is then not handled.
            if self.ending is None:
                self._handle(frame)

    def _handle(self, frame: ServerFrame) -> None:
        kind = frame.WhichOneof("kind")
        if self.welcome is None:
            if kind == "welcome":
                self._welcomed(frame.welcome)
            elif kind == "error":
                self._error = frame.error
            return
        match kind:
            case "reply":
                self._requests.replied(frame.id, frame.reply)
            case "ping":
                self._pong(frame.id, frame.ping)
            case "pong" | "welcome":
                pass
            case "goaway":
                self._going_away(frame.goaway)
            case None:
                self._refuse_unknown(frame.id)
            case "rpc" if not self.offers("server_rpc"):
                self._refuse_unknown(frame.id)
            case _:
                self._handler.received(self, frame)

    def _welcomed(self, welcome: Welcome) -> None:
        self.welcome = welcome
        self.welcomed_at_s = self._loop.time()
        self._requests.most = welcome.limits.max_pending_requests or DEFAULT_MOST
        self._silence = Silence(
            welcome.heartbeat_interval_ms / 1000, welcome.heartbeat_timeout_ms / 1000, self._loop.time(), time.time()
        )
        self._run(self._listen_for_silence(self._silence))
        self._handler.welcomed(self, welcome)
        self._greeted.set()

    def _pong(self, frame_id: int, ping: Ping) -> None:
        now_us = time.time_ns() // 1000
        pong = Pong(ping_sent_at_us=ping.sent_at_us, received_at_us=now_us, sent_at_us=time.time_ns() // 1000)
        self.send(ClientFrame(id=frame_id, pong=pong))

    def _going_away(self, goaway: Goaway) -> None:
        self.goaway = goaway
        if self._leave_timer is not None:
            self._leave_timer.cancel()
        self._leave_timer = self._loop.call_later(goaway.reconnect_after_ms / 1000, self.leave.set)

    def _refuse_unknown(self, frame_id: int) -> None:
        """FF-FR-013 and FF-FR-014."""
        if frame_id != 0:
            error = Error(code=error_pb2.ERROR_CODE_UNIMPLEMENTED, message="this client does not know the frame")
            self.send(ClientFrame(id=frame_id, rpc_result=RpcResult(error=error)))

    async def _listen_for_silence(self, silence: Silence) -> None:
        while True:
            await asyncio.sleep(silence.look_every_s)
            match silence.look(self._loop.time(), time.time()):
                case Sign.ASK:
                    self.send(ClientFrame(ping=Ping(sent_at_us=time.time_ns() // 1000)))
                case Sign.DEAD:
                    self.close(close_pb2.CLOSE_CODE_HEARTBEAT_TIMEOUT)
                    return
                case Sign.ALIVE:
                    pass

    def _end(self, ending: Ending, code: int | None = None) -> None:
        if self.ending is not None:
            return
        self.ending = ending
        if self._leave_timer is not None:
            self._leave_timer.cancel()
        for one in self._attached:
            one.cancel()
        self.abandon_requests()
        self._handler.ended(self)
        self._greeted.set()
        self.over.set()
        self.leave.set()
        if self._socket is not None:
            # Kept by the loop and by this list, so that it is not collected before it has ended.
            self._tasks.append(self._loop.create_task(self._shut(self._socket, code)))

    async def _shut(self, socket: ClientConnection, code: int | None) -> None:
        """Writes what waits, closes, and waits for the peer no longer than CLOSE_TIMEOUT_S."""
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._flush(socket)
                await (socket.close() if code is None else socket.close(code))
        except (TimeoutError, ConnectionClosed):
            pass
        finally:
            socket.transport.abort()
            for task in self._tasks:
                if task is not asyncio.current_task():
                    task.cancel()
