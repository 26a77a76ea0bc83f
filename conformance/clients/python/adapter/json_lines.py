"""The form of adapter.proto in which each message is a line of JSON."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

from fanfare.conformance.v1alpha.adapter_pb2 import ClientCommand, ClientReport
from google.protobuf import json_format


async def read_commands() -> AsyncIterator[ClientCommand]:
    """Commands from standard input, until it ends."""
    # In a thread, because a loop can wait for pipes and for no file.
    while line := await asyncio.to_thread(sys.stdin.buffer.readline):
        yield json_format.Parse(line, ClientCommand(), ignore_unknown_fields=True)


def write_report(report: ClientReport) -> None:
    """A report to standard output, at once."""
    print(json_format.MessageToJson(report, indent=None), flush=True)
