"""Does with the client what the conformance suite's runner commands, and reports what comes of it (adapter.proto)."""

from __future__ import annotations

import asyncio
import sys

from fanfare.conformance.v1alpha.adapter_pb2 import (
    AnswerRpcCommand,
    ClientCommand,
    ClientReport,
    CommitCommand,
    ConnectCommand,
    Done,
    HistoryCommand,
    PresenceCommand,
    PublishCommand,
    Ready,
    RpcCommand,
    SubscribeCommand,
)
from fanfare.v1.channel_pb2 import Channel as WireChannel
from fanfare.v1.error_pb2 import ERROR_CODE_INTERNAL, Error
from fanfare.v1.publish_pb2 import PublishResult

from fanfare_client import FEATURES, Channel, Client, FanfareError, Payload, connect
from fanfare_client.client import CALL_TIMEOUT_S, NAME, REQUEST_TIMEOUT_S, VERSION
from fanfare_client.codec import CODECS

from .json_lines import read_commands, write_report
from .reports import Reporter, page_report, roster_report

VERBS = (
    *("connect", "close", "drop_transport", "subscribe", "unsubscribe", "publish"),
    *("presence", "roster", "update_presence", "rpc", "answer_rpc", "history", "commit", "reset"),
)


class Adapter:
    """One client, and what the runner wants of it."""

    def __init__(self) -> None:
        self._client: Client | None = None
        self._reporter = Reporter()
        self._running: set[asyncio.Task[None]] = set()

    def begin(self, command: ClientCommand) -> None:
        """Executes a command beside those that run."""
        task = asyncio.create_task(self._execute(command))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _execute(self, command: ClientCommand) -> None:
        try:
            done = await self._run(command)
        except FanfareError as error:
            # An Error is what the client says; the outcome stands beside it where it is known.
            published = PublishResult(outcome=error.outcome) if error.outcome else None
            done = Done(error=Error(code=error.code, message=error.message, field=error.field), published=published)
        except Exception as error:
            done = Done(error=Error(code=ERROR_CODE_INTERNAL, message=repr(error)))
            print(f"{command.WhichOneof('verb')} failed: {error!r}", file=sys.stderr)
        done.id = command.id
        write_report(ClientReport(done=done))

    async def _run(self, command: ClientCommand) -> Done:
        match command.WhichOneof("verb"):
            case "connect":
                return await self._connect(command.connect)
            case "subscribe":
                return await self._subscribe(command.subscribe)
            case "unsubscribe":
                await self._required.unsubscribe(_channel(command.unsubscribe.channel))
                return Done()
            case "publish":
                return await self._publish(command.publish)
            case "presence":
                return await self._ask_presence(command.presence)
            case "roster":
                return Done(roster=roster_report(self._required.present(_channel(command.roster.channel))))
            case "update_presence":
                await self._required.show(_channel(command.update_presence.channel), command.update_presence.data)
                return Done()
            case "rpc":
                return await self._call(command.rpc)
            case "answer_rpc":
                return self._answer_rpc(command.answer_rpc)
            case "history":
                return await self._history(command.history)
            case "commit":
                return await self._commit(command.commit)
            case "drop_transport":
                self._required.drop_transport()
                return Done()
            case "close":
                await self._required.close()
                return Done()
            case "reset":
                await self._reset()
                return Done()
            case verb:
                raise ValueError(f"{verb} is not served")

    @property
    def _required(self) -> Client:
        if self._client is None:
            raise ValueError("there is no client yet")
        return self._client

    async def _connect(self, command: ConnectCommand) -> Done:
        tokens = list(command.tokens)

        def next_token() -> str:
            return tokens.pop(0) if len(tokens) > 1 else tokens[0]

        self._client = await connect(
            command.url,
            next_token,
            listener=self._reporter,
            allowed_origins=command.allowed_origins,
            subprotocols=command.subprotocols or ("fanfare.v1.proto",),
        )
        return Done()

    async def _reset(self) -> None:
        self._reporter.is_silent = True
        self._reporter = Reporter()
        others = self._running - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        if self._client is not None:
            # Its connections belong to a case that is over, and nobody there answers a goodbye.
            self._client.drop_transport()
            await self._client.close()
            self._client = None

    async def _subscribe(self, command: SubscribeCommand) -> Done:
        start = command.WhichOneof("start")
        subscribed = await self._required.subscribe(
            _channel(command.channel),
            after=command.after if start == "after" else None,
            rewind=command.rewind if start == "rewind" else None,
            cursor=start == "cursor",
            head=start == "head",
            presence=command.presence,
            presence_data=command.presence_data if command.HasField("presence_data") else None,
        )
        return Done(subscribed=subscribed)

    async def _publish(self, command: PublishCommand) -> Done:
        channel = _channel(command.channel)
        if command.volatile:
            self._required.send(
                channel,
                command.payload,
                conflation_key=command.conflation_key,
                ttl_ms=command.ttl_ms,
                exclude_self=command.exclude_self,
            )
            return Done()
        result = await self._required.publish(
            channel,
            command.payload,
            ttl_ms=command.ttl_ms,
            exclude_self=command.exclude_self,
            want_report=command.want_report,
            timeout_s=command.deadline_ms / 1000 or REQUEST_TIMEOUT_S,
        )
        return Done(published=result)

    async def _ask_presence(self, command: PresenceCommand) -> Done:
        page = await self._required.ask_presence(
            _channel(command.channel),
            page_size=command.page_size,
            page_token=command.page_token,
            counts_only=command.counts_only,
        )
        return Done(presence=page)

    async def _call(self, command: RpcCommand) -> Done:
        timeout_s = command.deadline_ms / 1000 or CALL_TIMEOUT_S
        return Done(result=await self._required.call(command.method, command.payload, timeout_s=timeout_s))

    def _answer_rpc(self, command: AnswerRpcCommand) -> Done:
        def handler(_: Payload) -> Payload:
            if not command.HasField("payload"):
                raise ValueError("the handler fails")
            return command.payload

        self._required.handle(command.method, handler)
        return Done()

    async def _history(self, command: HistoryCommand) -> Done:
        page = await self._required.history(
            _channel(command.channel),
            start=getattr(command, "from") if command.HasField("from") else None,
            forward=command.forward,
            limit=command.limit,
        )
        return Done(history=page_report(page))

    async def _commit(self, command: CommitCommand) -> Done:
        position = command.position if command.HasField("position") else None
        return Done(cursor=await self._required.commit(_channel(command.channel), position))


def _channel(wire: WireChannel) -> Channel:
    channel = Channel.from_wire(wire)
    if channel is None:
        raise ValueError("a command names no channel")
    return channel


async def _serve() -> None:
    ready = Ready(client=f"{NAME} {VERSION}", features=FEATURES, verbs=VERBS, subprotocols=CODECS)
    write_report(ClientReport(ready=ready))
    adapter = Adapter()
    async for command in read_commands():
        adapter.begin(command)


def main() -> None:
    """Runs until standard input ends."""
    asyncio.run(_serve())
