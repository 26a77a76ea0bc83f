"""Publishes that wait to be sent, and those that wait for their reply (section 8)."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from fanfare.v1 import error_pb2, publish_pb2
from fanfare.v1.frames_pb2 import ClientFrame, Reply
from fanfare.v1.publish_pb2 import Publish, PublishResult

from .connection import Connection
from .errors import FanfareError
from .requests import check_reply

# Publishes that wait to be sent for the first time. At it the next one is refused.
MAX_WAITING = 1024

_SUCCESSES = {publish_pb2.OUTCOME_DELIVERED, publish_pb2.OUTCOME_STORED, publish_pb2.OUTCOME_OFFLINE}


@dataclass(slots=True, eq=False)
class Outgoing:
    """One publish. Its seq is 0 until it is sent for the first time, because those that overtake it then need lower
    ones.
    """

    publish: Publish
    # A value and no exception, because nobody may wait for it any more.
    result: asyncio.Future[PublishResult | FanfareError]


class Outbox:
    """Sends each publish once in a session, and again only when a connection ended before its reply came."""

    def __init__(self) -> None:
        self._seq = 0
        self._waiting: deque[Outgoing] = deque()
        self._to_repeat: deque[Outgoing] = deque()
        # By seq, in the order of seq. Bounded by Limits.max_pending_requests.
        self._unanswered: dict[int, Outgoing] = {}

    def add(self, publish: Publish) -> Outgoing:
        """Raises LIMIT_EXCEEDED when as many wait as may."""
        if len(self._waiting) >= MAX_WAITING:
            raise FanfareError(error_pb2.ERROR_CODE_LIMIT_EXCEEDED, f"{MAX_WAITING} publishes wait to be sent")
        outgoing = Outgoing(publish, asyncio.get_running_loop().create_future())
        self._waiting.append(outgoing)
        return outgoing

    def give_up(self, outgoing: Outgoing) -> bool:
        """Whether it was never sent, and is not going to be. What was sent is still repeated: FF-ID-002 knows no time
        limit.
        """
        if outgoing not in self._waiting:
            return False
        self._waiting.remove(outgoing)
        return True

    def send_volatile(self, connection: Connection, publish: Publish) -> None:
        publish.seq = self._next_seq()
        connection.send(ClientFrame(publish=publish))

    def pump(self, connection: Connection) -> None:
        """Sends what there is room for: first what is to be repeated, in the order of seq (FF-ID-003)."""
        while connection.ending is None and connection.has_room and (self._to_repeat or self._waiting):
            outgoing = (self._to_repeat or self._waiting).popleft()
            is_repeat = outgoing.publish.seq != 0
            if not is_repeat:
                if not connection.offers("report"):
                    outgoing.publish.want_report = False
                outgoing.publish.seq = self._next_seq()
            self._unanswered[outgoing.publish.seq] = outgoing
            try:
                self._send(connection, outgoing)
            except FanfareError as error:
                # It is larger than this server takes; another one may have had it before.
                del self._unanswered[outgoing.publish.seq]
                _settle(outgoing, unknown("it cannot be repeated") if is_repeat else error)

    def repeat(self, connection: Connection) -> None:
        """The session goes on at this connection, and the former one has ended or handed over."""
        self._to_repeat = deque(self._unanswered.values())
        self.pump(connection)

    def forget_session(self) -> None:
        """The session has ended: nobody can find out any more what became of what it had sent (FF-ID-005)."""
        unanswered, self._unanswered = self._unanswered, {}
        self._to_repeat.clear()
        self._seq = 0
        for outgoing in unanswered.values():
            _settle(outgoing, unknown("the session has ended before the reply came"))

    def fail_waiting(self, error: FanfareError) -> None:
        """The client does not come back."""
        while self._waiting:
            _settle(self._waiting.popleft(), error)

    def _send(self, connection: Connection, outgoing: Outgoing) -> None:
        def on_reply(reply: Reply | None) -> None:
            if reply is not None and self._unanswered.pop(outgoing.publish.seq, None) is outgoing:
                _settle(outgoing, _result_of(reply))
                self.pump(connection)

        _check_payload(connection, outgoing.publish)
        connection.request(ClientFrame(publish=outgoing.publish), on_reply)

    def _next_seq(self) -> int:
        self._seq += 1
        return self._seq


def unknown(message: str) -> FanfareError:
    """A publish may have been delivered or stored, or not."""
    return FanfareError(error_pb2.ERROR_CODE_DEADLINE_EXCEEDED, message, outcome=publish_pb2.OUTCOME_UNKNOWN)


def _settle(outgoing: Outgoing, result: PublishResult | FanfareError) -> None:
    if not outgoing.result.done():
        outgoing.result.set_result(result)


def _result_of(reply: Reply) -> PublishResult | FanfareError:
    try:
        check_reply(reply, "publish_result")
    except FanfareError as refusal:
        return refusal
    result = reply.publish_result
    if result.outcome in _SUCCESSES:
        return result
    error = FanfareError.from_wire(result.error)
    error.outcome = result.outcome
    return error


def _check_payload(connection: Connection, publish: Publish) -> None:
    kind = publish.payload.WhichOneof("data")
    data = getattr(publish.payload, kind) if kind is not None else b""
    size = len(data.encode() if isinstance(data, str) else data)
    most = connection.welcome.limits.max_payload_bytes if connection.welcome is not None else 0
    if most != 0 and size > most:
        raise FanfareError(
            error_pb2.ERROR_CODE_TOO_LARGE,
            f"a payload of {size} bytes is larger than the server takes",
            field="publish.payload",
        )
