"""What close codes and HTTP statuses mean for whoever was closed (section 20)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from fanfare.v1 import options_pb2
from fanfare.v1.close_pb2 import CloseCode

from .options import close_policy


class ComeBack(Enum):
    """How a client goes on after its connection has ended."""

    NEVER = auto()
    BACK_OFF = auto()
    SOON = auto()
    NEW_TOKEN = auto()


@dataclass(frozen=True, slots=True)
class Policy:
    """What follows from the way in which a connection ended."""

    come_back: ComeBack
    least_wait_s: float = 0.0
    session_ends: bool = False


_BACK_OFF = Policy(ComeBack.BACK_OFF)
_NEVER = Policy(ComeBack.NEVER)

_OF_OPTION = {
    options_pb2.RECONNECT_POLICY_NEVER: ComeBack.NEVER,
    options_pb2.RECONNECT_POLICY_BACKOFF: ComeBack.BACK_OFF,
    options_pb2.RECONNECT_POLICY_SOON: ComeBack.SOON,
    options_pb2.RECONNECT_POLICY_NEW_TOKEN: ComeBack.NEW_TOKEN,
}
_OF_RANGE = {40: ComeBack.NEVER, 41: ComeBack.BACK_OFF, 42: ComeBack.SOON, 43: ComeBack.NEW_TOKEN}
_NEVER_OF_STANDARD = {1002, 1003, 1007, 1009, 1010}
_NEVER_OF_STATUS = {400, 401, 403, 404, 405, 410, 426, 501, 505}
_LEAST_WAIT_OF_STATUS_S = {429: 1.0, 503: 1.0}
_GREATEST_RETRY_AFTER_S = 30.0


def after_close(code: int | None) -> Policy:
    """None is a connection that ended without a code."""
    if code is None:
        return _BACK_OFF
    value = CloseCode.DESCRIPTOR.values_by_number.get(code)
    if value is not None and code != 0:
        option = close_policy(value)
        return Policy(_OF_OPTION[option.reconnect], option.min_backoff_ms / 1000, option.session_ends)
    if code in _NEVER_OF_STANDARD:
        return _NEVER
    return Policy(_OF_RANGE.get(code // 100, ComeBack.BACK_OFF))


def after_status(status: int, retry_after_s: float, *, was_welcomed: bool) -> Policy:
    """After an upgrade that was refused with an HTTP status; `was_welcomed` says whether one at this URL ever
    succeeded.
    """
    if status in _NEVER_OF_STATUS and not was_welcomed:
        return _NEVER
    least_wait_s = max(min(retry_after_s, _GREATEST_RETRY_AFTER_S), _LEAST_WAIT_OF_STATUS_S.get(status, 0.0))
    return Policy(ComeBack.BACK_OFF, least_wait_s)
