"""What a field may hold. The bounds stand in the options of the proto files, and nowhere here."""

from __future__ import annotations

import re
from typing import Any

from fanfare.v1 import error_pb2, options_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from .errors import FanfareError
from .options import bounds_of, is_required

_CHARSETS = {
    options_pb2.CHARSET_NAME: re.compile(r"[A-Za-z0-9_\-.:@/+=~]*"),
    options_pb2.CHARSET_IDENTIFIER: re.compile(r"[A-Za-z0-9_\-.]*"),
    options_pb2.CHARSET_VISIBLE: re.compile(r"[\x21-\x7e]*"),
}


def check_bounds(message: Message, path: str = "") -> None:
    """Raises INVALID_ARGUMENT with the path of the first field that is out of its bounds (section 26)."""
    descriptor: Any = message.DESCRIPTOR
    for field in descriptor.fields:
        where = f"{path}{field.name}"
        bounds = bounds_of(field)
        value = getattr(message, field.name)
        if field.is_repeated:
            if bounds.HasField("max_items") and len(value) > bounds.max_items:
                raise _refused(where, f"has more than {bounds.max_items} elements")
            for index, element in enumerate(value):
                _check_value(field, bounds, element, f"{where}[{index}]")
        elif field.has_presence:
            if message.HasField(field.name):
                _check_value(field, bounds, value, where)
            elif bounds.required and field.containing_oneof is None:
                raise _refused(where, "is missing")
        elif value != field.default_value or bounds.HasField("min_len") or bounds.HasField("min"):
            _check_value(field, bounds, value, where)
    for oneof in descriptor.oneofs:
        if is_required(oneof) and message.WhichOneof(oneof.name) is None:
            raise _refused(f"{path}{oneof.name}", "is not set")


def _check_value(field: FieldDescriptor, bounds: options_pb2.Bounds, value: Any, where: str) -> None:
    if isinstance(value, Message):
        return check_bounds(value, f"{where}.")
    if isinstance(value, str | bytes):
        length = len(value.encode()) if isinstance(value, str) else len(value)
        if length < bounds.min_len or (bounds.HasField("max_len") and length > bounds.max_len):
            raise _refused(where, f"has {length} bytes")
        charset = _CHARSETS.get(bounds.charset)
        if charset is not None and not charset.fullmatch(str(value)):
            raise _refused(where, f"holds what is not in {options_pb2.Charset.Name(bounds.charset)}")
    elif (bounds.HasField("min") and value < bounds.min) or (bounds.HasField("max") and value > bounds.max):
        raise _refused(where, f"is {value}")
    if bounds.required and value == field.default_value:
        raise _refused(where, "is missing")
    return None


def _refused(where: str, problem: str) -> FanfareError:
    return FanfareError(error_pb2.ERROR_CODE_INVALID_ARGUMENT, f"{where} {problem}", field=where)
