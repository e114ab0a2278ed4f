"""What can go wrong, as a small tree under LeptonError."""

from __future__ import annotations


class LeptonError(Exception):
    """Any failure that ends a call.

    Attributes:
        code: The reason in one word, from the server's closed set, e.g. "invalid_argument".
        status: The HTTP status that the code stands for.
    """

    code = "internal"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code or type(self).code
        self.status = _STATUS.get(self.code, 500)


class InvalidInput(LeptonError):
    """The tensors do not fit the model; the message names which and why."""

    code = "invalid_argument"


class ModelNotFound(LeptonError):
    """The server has no such model or version."""

    code = "model_not_found"


class Overloaded(LeptonError):
    """The server refused to queue the request; another node, or a later try, may succeed."""

    code = "overloaded"


class DeadlineExceeded(LeptonError):
    """The answer did not come in time, or could not have."""

    code = "deadline_exceeded"


class Cancelled(LeptonError):
    """The caller gave the call up."""

    code = "cancelled"


class Unavailable(LeptonError):
    """No server is there, or it is starting, draining or closed, or the model is not ready."""

    code = "unavailable"


# The server's table is in docs/reference/errors.md.
_STATUS = {
    "invalid_argument": 400,
    "unauthenticated": 401,
    "permission_denied": 403,
    "model_not_found": 404,
    "method_not_allowed": 405,
    "payload_too_large": 413,
    "unsupported_media": 415,
    "queue_full": 429,
    "overloaded": 429,
    "cancelled": 499,
    "unsupported": 501,
    "unavailable": 503,
    "deadline_exceeded": 504,
}

# The codes that a caller may want to tell apart; the others are LeptonError itself.
_BY_CODE: dict[str, type[LeptonError]] = {
    "payload_too_large": InvalidInput,
    "queue_full": Overloaded,
} | {
    kind.code: kind
    for kind in (
        InvalidInput,
        ModelNotFound,
        Overloaded,
        DeadlineExceeded,
        Cancelled,
        Unavailable,
    )
}


def error_for(code: str, message: str) -> LeptonError:
    """Returns the error for a code of the closed set."""
    return _BY_CODE.get(code, LeptonError)(message, code=code)
