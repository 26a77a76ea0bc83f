"""The life of a client: connecting, staying, moving, coming back (sections 5.1, 5.3, 18 and 20)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass

from fanfare.v1 import close_pb2, error_pb2
from fanfare.v1.error_pb2 import ErrorCode
from fanfare.v1.frames_pb2 import ClientFrame, ServerFrame
from fanfare.v1.session_pb2 import ClientInfo, Disconnect, Hello, Resume, Welcome

from .address import next_url
from .closing import ComeBack
from .connection import Connection
from .delays import HELD_S
from .dialing import Ending
from .errors import FanfareError
from .handlers import Handlers
from .listener import Listener, State, Status
from .move import Move
from .outbox import Outbox
from .returning import Returning
from .subscribing import Subscribing
from .subscriptions import Subscription, Subscriptions
from .token_refresh import keep_token_fresh

FEATURES = ("resume", "hand_over", "report", "server_rpc", "client_rpc", "durable", "history", "cursor", "presence")
REVISION = 1

# How long the server may take to close after `disconnect`, and a former connection after `handed_over`, in seconds.
_GOODBYE_S = 2.0

_log = logging.getLogger("fanfare")


@dataclass(frozen=True, slots=True)
class Address:
    """Where and how to connect."""

    url: str
    allowed_origins: tuple[str, ...]
    subprotocols: tuple[str, ...]
    info: ClientInfo


class Life:
    """Keeps a session connected until somebody closes it or a server says never."""

    def __init__(self, address: Address, returning: Returning, listener: Listener) -> None:
        self.subscriptions = Subscriptions(listener, self._ask_again)
        self.subscribing = Subscribing(self.subscriptions, self)
        self.outbox = Outbox()
        self.handlers = Handlers()
        # Where requests go. None while there is none.
        self.connection: Connection | None = None
        self._address = address
        self._url = address.url
        self._returning = returning
        self._listener = listener
        self._ready = asyncio.Event()
        self._begun = asyncio.Event()
        self._attempt = 0
        self._session: Resume | None = None
        self._move: Move | None = None
        self._over: FanfareError | None = None
        self._task = asyncio.create_task(self._run())

    async def begun(self) -> None:
        """Returns at the first welcome. Raises what the client gave up with."""
        await self._begun.wait()
        self.check_alive()

    async def ready(self) -> Connection:
        """A connection that takes requests. Raises SESSION_ENDED when there will be none."""
        await self._ready.wait()
        self.check_alive()
        if self.connection is None:
            raise AssertionError("ready without a connection")
        return self.connection

    def check_alive(self) -> None:
        """Raises what the client gave up with."""
        if self._over is not None:
            raise self._over

    @property
    def newest(self) -> Connection | None:
        """The newest connection that was welcomed: the second one during a move."""
        second = self._move.second if self._move is not None else None
        return (
            second if second is not None and second.welcome is not None and second.ending is None else self.connection
        )

    async def close(self) -> None:
        """Ends the session (FF-SE-018)."""
        connection = self.newest
        if connection is not None:
            connection.send(ClientFrame(disconnect=Disconnect()))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(connection.over.wait(), _GOODBYE_S)
            connection.close(close_pb2.CLOSE_CODE_DISCONNECTED)
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._finish(FanfareError(error_pb2.ERROR_CODE_SESSION_ENDED, "the client was closed"))

    # What connections tell.

    def welcomed(self, connection: Connection, welcome: Welcome) -> None:
        self._returning.welcomed(connection, welcome)
        connection.attach(asyncio.get_running_loop().call_later(HELD_S, self._returning.delays.held))
        refresh = keep_token_fresh(connection, self._returning.token, self._returning.provide_token)
        connection.attach(asyncio.create_task(refresh))
        if not welcome.resumed:
            self.outbox.forget_session()
            self.subscriptions.forget_session()
        # At once, also in a move: it replaces every earlier one (FF-SE-015).
        secret = welcome.resume_secret if connection.offers("resume") else ""
        self._session = Resume(session_id=welcome.session_id, secret=secret) if secret else None
        move = self._move
        if move is None or connection is not move.second:
            self._go_on(connection, welcome, has_moved=False)
        elif welcome.resumed:
            self._complete_move()
        else:
            move.former.close()
            self._complete_move()

    def received(self, connection: Connection, frame: ServerFrame) -> None:
        move = self._move
        if frame.WhichOneof("kind") == "handed_over":
            if move is not None and connection is move.former:
                move.is_handed_over = True
                self._complete_move()
        elif move is not None and connection is move.second:
            if not move.hold(frame):
                move.former.close()
        elif connection is self.connection:
            self._deliver(connection, frame)

    def ended(self, connection: Connection) -> None:
        move = self._move
        if move is not None and connection is move.second and connection.welcome and self._is_final(connection):
            # Once the second connection has the session, what ends it there ends it.
            move.former.close()
        if connection is not self.connection:
            return
        self._ready.clear()
        self.connection = None
        if not connection.offers("resume"):
            self.outbox.forget_session()
        if self._move is not None and self._is_final(connection):
            self._move.second.close()
            self._move.done.set()
            self._move = None
        self._complete_move()

    # From connection to connection.

    async def _run(self) -> None:
        try:
            while True:
                self._tell(Status(State.CONNECTING))
                connection = await self._connect_and_stay()
                if connection is None:
                    await asyncio.sleep(self._returning.delays.at_once())
                    continue
                if self._returning.policy_after(connection).session_ends:
                    self.outbox.forget_session()
                    self._session = None
                wait_s = await self._returning.wait_after(connection)
                if wait_s is None:
                    self._finish(_error_after(connection.ending), connection.ending)
                    return
                await asyncio.sleep(wait_s)
        except FanfareError as error:
            self._finish(error)
        except Exception as error:
            _log.exception("the client has failed")
            self._finish(FanfareError(error_pb2.ERROR_CODE_INTERNAL, str(error)))

    async def _connect_and_stay(self) -> Connection | None:
        """The connection whose end says what follows; None if the client was sent away and connects elsewhere."""
        connection = Connection(self._url, self._address.subprotocols, self)
        await self._open(connection, hand_over=False)
        if connection.welcome is None:
            # An address that a goaway named is used for as long as it works.
            self._url = self._address.url
        while True:
            await connection.leave.wait()
            if connection.ending is not None:
                return connection
            if connection.goaway is not None:
                self._url = next_url(connection.url, connection.goaway.url, self._address.allowed_origins)
            if not connection.offers("hand_over"):
                connection.close()
                return None
            connection = await self._move_from(connection)

    async def _move_from(self, former: Connection) -> Connection:
        """The connection that goes on, or whose end says what follows."""
        while former.ending is None:
            second = Connection(self._url, self._address.subprotocols, self)
            move = self._move = Move(former, second)
            await self._open(second, hand_over=True)
            if second.welcome is not None:
                await move.done.wait()
            if self._is_final(former):
                return former
            if second.welcome is not None:
                return second
            self._move = None
            self._url = former.url
            former.hold_requests(False)
            if former.ending is None:
                self.outbox.pump(former)
            policy = self._returning.policy_after(second)
            if policy.session_ends or policy.come_back is ComeBack.NEVER:
                # The session is at home on the former connection for as long as that lasts.
                await former.over.wait()
                return second
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(former.over.wait(), await self._returning.wait_after(second))
        return former

    def _is_final(self, connection: Connection) -> bool:
        """It ended by a code that says never. 4009 on a former connection speaks of the second one."""
        ending = connection.ending
        if ending is None or ending.close_code == close_pb2.CLOSE_CODE_REPLACED:
            return False
        return self._returning.policy_after(connection).come_back is ComeBack.NEVER

    async def _open(self, connection: Connection, *, hand_over: bool) -> None:
        try:
            await self._returning.take_token()
        except FanfareError:
            raise
        except Exception:
            _log.exception("there is no token")
            connection.close()
            return
        await connection.open(lambda: self._hello(hand_over))

    def _hello(self, hand_over: bool) -> Hello:
        if hand_over and self.connection is not None:
            # The former connection may not handle them any more, and this hello names nothing that they ask for.
            self.connection.hold_requests(True)
        self._attempt += 1
        hello = Hello(
            token=self._returning.token,
            min_revision=REVISION,
            max_revision=REVISION,
            features=FEATURES,
            client=self._address.info,
            attempt=self._attempt,
            subscriptions=self.subscriptions.for_hello(),
        )
        if self._session is not None:
            hello.resume.CopyFrom(self._session)
            hello.resume.hand_over = hand_over
        return hello

    def _go_on(self, connection: Connection, welcome: Welcome, *, has_moved: bool) -> None:
        """The session goes on, or begins, at this connection."""
        is_first = not self._begun.is_set()
        if connection.ending is None:
            self.connection = connection
            self._ready.set()
        if not has_moved:
            self._tell(Status(State.CONNECTED, resumed=welcome.resumed))
        self.subscriptions.welcomed(welcome, is_first=is_first, has_moved=has_moved)
        self.outbox.repeat(connection)
        self._begun.set()

    def _complete_move(self) -> None:
        move = self._move
        if move is None or not move.is_complete or move.second.welcome is None:
            return
        self._move = None
        self._ready.clear()
        self.connection = None
        move.former.abandon_requests()
        asyncio.get_running_loop().call_later(_GOODBYE_S, move.former.close)
        welcome = move.second.welcome
        self._go_on(move.second, welcome, has_moved=welcome.resumed)
        if welcome.resumed and not move.is_handed_over:
            self.subscriptions.detached(welcome)
        for frame in move.held:
            self._deliver(move.second, frame)
        move.done.set()

    def _deliver(self, connection: Connection, frame: ServerFrame) -> None:
        match frame.WhichOneof("kind"):
            case "message":
                self.subscriptions.take_message(frame.message)
            case "skip":
                self.subscriptions.take_skip(frame.skip)
            case "subscription":
                self.subscriptions.take_event(frame.subscription)
            case "presence_event":
                self.subscriptions.take_presence(frame.presence_event)
            case "rpc":
                self.handlers.take(connection, frame)
            case "dropped":
                self.subscriptions.take_dropped(frame.dropped)
            case "error":
                _log.warning("the server says: %s", FanfareError.from_wire(frame.error))
            case _:
                pass  # Of a feature that this client does not claim.

    def _ask_again(self, one: Subscription, delay_s: float) -> None:
        connection = self.connection
        if connection is not None:
            connection.attach(asyncio.create_task(self.subscribing.ask_again(connection, one, delay_s)))

    def _finish(self, error: FanfareError, ending: Ending | None = None) -> None:
        if self._over is not None:
            return
        self._over = error
        move, connection = self._move, self.connection
        self._move = None
        for one in {connection, *((move.former, move.second) if move is not None else ())}:
            if one is not None:
                one.close()
        self.handlers.close()
        self.outbox.forget_session()
        self.outbox.fail_waiting(error)
        self._ready.set()
        self._begun.set()
        self._tell(Status(State.CLOSED, close_code=ending.close_code if ending is not None else None, error=error))

    def _tell(self, status: Status) -> None:
        try:
            self._listener.on_status(status)
        except Exception:
            _log.exception("on_status failed")


def _error_after(ending: Ending | None) -> FanfareError:
    if ending is None:
        return FanfareError(error_pb2.ERROR_CODE_SESSION_ENDED, "the connection has ended")
    code: ErrorCode = ending.error.code if ending.error is not None else error_pb2.ERROR_CODE_SESSION_ENDED
    what = f"the server answered {ending.status}" if ending.status is not None else f"closed with {ending.close_code}"
    message = f"{what}: {ending.error.message}" if ending.error is not None else what
    return FanfareError(code, message, close_code=ending.close_code)
