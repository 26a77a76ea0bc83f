"""The one exception that the client raises."""

from __future__ import annotations

from fanfare.v1 import error_pb2, options_pb2, publish_pb2
from fanfare.v1.error_pb2 import ErrorCode

from .options import error_policy


class FanfareError(Exception):
    """Something was refused or failed.

    `code` says what, `outcome` what became of a publish if anything is known, `close_code` how the connection ended
    where it is that.
    """

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        *,
        field: str = "",
        retry_after_s: float = 0.0,
        outcome: publish_pb2.Outcome = publish_pb2.OUTCOME_UNSPECIFIED,
        close_code: int | None = None,
    ) -> None:
        # FF-ER-001: a code of a later text is a fault of the server that no repeat makes good.
        self.is_known = code in ErrorCode.values() and code != error_pb2.ERROR_CODE_UNSPECIFIED
        self.code: ErrorCode = code if self.is_known else error_pb2.ERROR_CODE_INTERNAL
        self.message = message
        self.field = field
        self.outcome = outcome
        self.close_code = close_code
        self._retry_after_s = retry_after_s
        name = ErrorCode.Name(self.code).removeprefix("ERROR_CODE_")
        super().__init__(f"{name}: {message}" + (f" ({field})" if field else ""))

    @classmethod
    def from_wire(cls, error: error_pb2.Error) -> FanfareError:
        return cls(error.code, error.message, field=error.field, retry_after_s=error.retry_after_ms / 1000)

    @property
    def retryable(self) -> bool:
        """The same may succeed later, unchanged."""
        return self.is_known and bool(self._policy.retryable)

    @property
    def retry_after_s(self) -> float:
        """How long to wait at the least before trying again, in seconds."""
        return self._retry_after_s or self._policy.min_backoff_ms / 1000

    @property
    def _policy(self) -> options_pb2.ErrorPolicy:
        return error_policy(ErrorCode.DESCRIPTOR.values_by_number[self.code])
