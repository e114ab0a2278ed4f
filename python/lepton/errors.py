"""What can go wrong, as a small tree under LeptonError."""

from __future__ import annotations


class LeptonError(Exception):
    """Any failure that a call to the server ends with.

    Attributes:
        code: The reason in one word, from the server's closed set, e.g. "invalid_argument".
        status: The HTTP status, or None when no answer came.
        retry_after: Seconds after which to try again, when the server named them.
    """

    code = "internal"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code or type(self).code
        self.status = status
        self.retry_after = retry_after


class InvalidInput(LeptonError):
    """The tensors do not fit the model; the message names which and why."""

    code = "invalid_argument"


class ModelNotFound(LeptonError):
    """The server has no such model or version."""

    code = "model_not_found"


class Overloaded(LeptonError):
    """The server refused to queue the request; another node, or a later try, may do."""

    code = "overloaded"


class DeadlineExceeded(LeptonError):
    """The answer did not come in time, or could not have."""

    code = "deadline_exceeded"


class Unavailable(LeptonError):
    """No server there, or it is starting, draining, or the model is not ready."""

    code = "unavailable"


# The errors that a caller may want to tell apart, by HTTP status. The server's table is in
# docs/reference/errors.md.
_BY_STATUS: dict[int, tuple[type[LeptonError], str]] = {
    400: (InvalidInput, "invalid_argument"),
    401: (LeptonError, "unauthenticated"),
    403: (LeptonError, "permission_denied"),
    404: (ModelNotFound, "model_not_found"),
    405: (LeptonError, "method_not_allowed"),
    413: (InvalidInput, "payload_too_large"),
    429: (Overloaded, "overloaded"),
    499: (LeptonError, "cancelled"),
    501: (LeptonError, "unsupported"),
    503: (Unavailable, "unavailable"),
    504: (DeadlineExceeded, "deadline_exceeded"),
}


def error_for(status: int, message: str, retry_after: float | None = None) -> LeptonError:
    """Returns the error that an HTTP status stands for."""
    kind, code = _BY_STATUS.get(status, (LeptonError, "internal"))
    return kind(message, code=code, status=status, retry_after=retry_after)
