"""What the proto files say about their fields, errors and close codes beyond types."""

from __future__ import annotations

from typing import Any

from fanfare.v1 import options_pb2
from google.protobuf.descriptor import EnumValueDescriptor, FieldDescriptor, OneofDescriptor

# The types of extensions are in no stub.


def bounds_of(field: FieldDescriptor) -> options_pb2.Bounds:
    options: Any = field.GetOptions()
    bounds: options_pb2.Bounds = options.Extensions[options_pb2.bounds]
    return bounds


def is_required(oneof: OneofDescriptor) -> bool:
    options: Any = oneof.GetOptions()
    return bool(options.Extensions[options_pb2.required])


def error_policy(code: EnumValueDescriptor) -> options_pb2.ErrorPolicy:
    options: Any = code.GetOptions()
    policy: options_pb2.ErrorPolicy = options.Extensions[options_pb2.error]
    return policy


def close_policy(code: EnumValueDescriptor) -> options_pb2.ClosePolicy:
    options: Any = code.GetOptions()
    policy: options_pb2.ClosePolicy = options.Extensions[options_pb2.close]
    return policy
