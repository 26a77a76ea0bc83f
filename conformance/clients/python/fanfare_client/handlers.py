"""Answers the backend's calls (section 15, feature `server_rpc`)."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable

from fanfare.v1 import error_pb2
from fanfare.v1.error_pb2 import Error, ErrorCode
from fanfare.v1.frames_pb2 import ClientFrame, ServerFrame
from fanfare.v1.message_pb2 import Payload
from fanfare.v1.rpc_pb2 import Rpc, RpcResult

from .connection import Connection
from .errors import FanfareError

_log = logging.getLogger("fanfare")

Handler = Callable[[Payload], Payload | Awaitable[Payload]]

# Calls that are being answered. At it the next one is refused.
MAX_RUNNING = 64
DEFAULT_DEADLINE_S = 5.0


class Handlers:
    """Runs a handler for each call, and answers it on the connection that brought it."""

    def __init__(self) -> None:
        self._by_method: dict[str, Handler] = {}
        self._running: set[asyncio.Task[None]] = set()

    def set(self, method: str, handler: Handler) -> None:
        self._by_method[method] = handler

    def take(self, connection: Connection, frame: ServerFrame) -> None:
        if len(self._running) >= MAX_RUNNING:
            busy = _failure(error_pb2.ERROR_CODE_LIMIT_EXCEEDED, f"{MAX_RUNNING} calls are being answered")
            _answer(connection, frame.id, busy)
            return
        task = asyncio.create_task(self._serve(connection, frame))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def close(self) -> None:
        for task in self._running:
            task.cancel()

    async def _serve(self, connection: Connection, frame: ServerFrame) -> None:
        _answer(connection, frame.id, await self._result_of(frame.rpc))

    async def _result_of(self, rpc: Rpc) -> RpcResult:
        handler = self._by_method.get(rpc.method)
        if handler is None:
            return _failure(error_pb2.ERROR_CODE_UNKNOWN_METHOD, f"there is no method {rpc.method}")
        try:
            async with asyncio.timeout(rpc.deadline_ms / 1000 or DEFAULT_DEADLINE_S):
                result = handler(rpc.payload)
                return RpcResult(payload=await result if inspect.isawaitable(result) else result)
        except TimeoutError:
            return _failure(error_pb2.ERROR_CODE_DEADLINE_EXCEEDED, "the handler took too long")
        except FanfareError as error:
            return _failure(error.code, error.message)
        except Exception:
            # What went wrong is for this side's log: the backend is another program.
            _log.exception("the handler of %s failed", rpc.method)
            return _failure(error_pb2.ERROR_CODE_INTERNAL, "the handler failed")


def _answer(connection: Connection, frame_id: int, result: RpcResult) -> None:
    try:
        connection.send(ClientFrame(id=frame_id, rpc_result=result))
    except FanfareError as error:
        connection.send(ClientFrame(id=frame_id, rpc_result=_failure(error.code, error.message)))


def _failure(code: ErrorCode, message: str) -> RpcResult:
    return RpcResult(error=Error(code=code, message=message[:256]))
