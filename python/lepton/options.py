"""The options of a client that are classes of their own."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike

from lepton import _native, arguments


@dataclass(frozen=True, kw_only=True)
class RetryOptions:
    """When a failed attempt is made again.

    That is where the connection was refused or cut, or the server says that it did not run the
    request.

    Args:
        max_attempts: Attempts per call, the first included; 1 never retries.
        budget_ratio: Retries per call, averaged over all calls of the client.
        budget_burst: Retries that may come at once beyond that average.
        backoff: Seconds before the first retry; they double with each further one.
        max_backoff: The longest of these waits, in seconds.

    Example:
        >>> Client(["http://10.0.0.1:8000", "http://10.0.0.2:8000"],
        ...        retry=RetryOptions(max_attempts=2))
    """

    max_attempts: int = 3
    budget_ratio: float = 0.2
    budget_burst: int = 10
    backoff: float = 0.01
    max_backoff: float = 1.0

    def __post_init__(self) -> None:
        """Raises TypeError or ValueError for what an option does not take."""
        self.as_native()

    def as_native(self) -> _native.RetryOptions:
        """Returns them as the binding takes them."""
        return _native.RetryOptions(
            max_attempts=arguments.whole("max_attempts", self.max_attempts, 1),
            budget_ratio=arguments.number("budget_ratio", self.budget_ratio, 0, 1e6),
            budget_burst=arguments.whole("budget_burst", self.budget_burst, 0),
            backoff=arguments.seconds("backoff", self.backoff, zero=True),
            max_backoff=arguments.seconds("max_backoff", self.max_backoff, zero=True),
        )


@dataclass(frozen=True, kw_only=True)
class HedgeOptions:
    """When a slow call is sent once more, to another endpoint if there is one.

    The first answer is taken, and the other call is canceled.

    Args:
        quantile: A call is slow when it takes longer than this share of those before it.
        min_delay: Seconds that it is given in any case.
        budget_ratio: Second requests per call, averaged over all calls of the client.

    Example:
        >>> Client(["http://10.0.0.1:8000", "http://10.0.0.2:8000"], hedge=HedgeOptions())
    """

    quantile: float = 0.95
    min_delay: float = 0.001
    budget_ratio: float = 0.1

    def __post_init__(self) -> None:
        """Raises TypeError or ValueError for what an option does not take."""
        self.as_native()

    def as_native(self) -> _native.HedgeOptions:
        """Returns them as the binding takes them."""
        quantile = arguments.number("quantile", self.quantile, 0, 1)
        if quantile in (0, 1):
            raise ValueError(f"quantile must be between 0 and 1, not {quantile:g}")
        return _native.HedgeOptions(
            quantile=quantile,
            min_delay=arguments.seconds("min_delay", self.min_delay, zero=True),
            budget_ratio=arguments.number("budget_ratio", self.budget_ratio, 0, 1e6),
        )


@dataclass(frozen=True, kw_only=True)
class TlsOptions:
    """How a client speaks TLS, for endpoints of https:// and grpcs://.

    Args:
        ca_file: The authorities that may vouch for the server, as PEM; those of the system when
            left out.
        certificate_file: The client's own certificate, as PEM, if the server asks for one.
        key_file: The key of that certificate, as PEM.
        server_name: The name that the server's certificate must have; that of the endpoint when
            left out.
        verify: False takes any certificate; for tests alone.

    Example:
        >>> Client("https://models.example.com", tls=TlsOptions(ca_file="our-authority.pem"))
    """

    ca_file: str | PathLike[str] = ""
    certificate_file: str | PathLike[str] = ""
    key_file: str | PathLike[str] = ""
    server_name: str = ""
    verify: bool = True

    def __post_init__(self) -> None:
        """Raises TypeError or ValueError for what an option does not take."""
        self.as_native()

    def as_native(self) -> _native.TlsOptions:
        """Returns them as the binding takes them."""
        return _native.TlsOptions(
            ca_file=arguments.path("ca_file", self.ca_file),
            certificate_file=arguments.path("certificate_file", self.certificate_file),
            key_file=arguments.path("key_file", self.key_file),
            server_name=arguments.text("server_name", self.server_name),
            verify=arguments.flag("verify", self.verify),
        )
