"""The two forms of frames on the wire (sections 3 and 23)."""

from __future__ import annotations

import json
from typing import Protocol

from fanfare.v1.frames_pb2 import ClientFrames, ServerFrames
from google.protobuf import json_format
from google.protobuf.message import DecodeError

# The greatest message that a server may send in any form, in bytes (FF-TR-012).
MAX_MESSAGE_BYTES = 8 * 1024 * 1024


class MalformedError(Exception):
    """A message that cannot be decoded, or is of the other form."""


class Codec(Protocol):
    """One WebSocket message is one ClientFrames or one ServerFrames."""

    def encode(self, frames: ClientFrames) -> bytes | str: ...

    def decode(self, data: bytes | str) -> ServerFrames:
        """Raises MalformedError."""
        ...


class BinaryCodec:
    """Protobuf in binary messages."""

    def encode(self, frames: ClientFrames) -> bytes:
        return frames.SerializeToString()

    def decode(self, data: bytes | str) -> ServerFrames:
        if isinstance(data, str):
            raise MalformedError("a text message on the binary subprotocol")
        try:
            return ServerFrames.FromString(data)
        except DecodeError as error:
            raise MalformedError("no ServerFrames") from error


class JsonCodec:
    """Protobuf's JSON mapping in text messages."""

    def encode(self, frames: ClientFrames) -> str:
        return json_format.MessageToJson(frames, indent=None, use_integers_for_enums=True, ensure_ascii=False)

    def decode(self, data: bytes | str) -> ServerFrames:
        if isinstance(data, bytes):
            raise MalformedError("a binary message on the JSON subprotocol")
        try:
            value = json.loads(data)
            # Parse takes a list for a message without fields.
            if not isinstance(value, dict):
                raise MalformedError("no JSON object")
            return json_format.ParseDict(value, ServerFrames(), ignore_unknown_fields=True)
        except (ValueError, RecursionError, json_format.ParseError) as error:
            raise MalformedError("no ServerFrames") from error


CODECS: dict[str, Codec] = {"fanfare.v1.proto": BinaryCodec(), "fanfare.v1.json": JsonCodec()}
