"""Ctrl-C: a command ends at once with code 130, unless it has something to keep or to remove."""

from __future__ import annotations

import contextlib
import os
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

# The status that a shell reports for a program ended by Ctrl-C.
INTERRUPTED = 130


def end_at_once() -> None:
    """Makes Ctrl-C end this process from now on, without a traceback."""
    # A shell's background jobs are started with it ignored, and stay so.
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _end)


def _end(_number: int, _frame: FrameType | None) -> None:
    # No exception: in an import, or while the process ends, it would be shown or become another.
    os._exit(INTERRUPTED)


def end_at_once_in_native_code() -> None:
    """Makes that so too while the main thread loads or runs a model, and hears no signal."""
    import threading

    if signal.getsignal(signal.SIGINT) is not _end:
        return  # Not a process of the command.
    heard, told = os.pipe()
    os.set_blocking(told, False)
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)

    def watch() -> None:
        while number := os.read(heard, 1):
            if number[0] == signal.SIGINT:
                os._exit(INTERRUPTED)

    threading.Thread(target=watch, daemon=True).start()


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Makes Ctrl-C raise KeyboardInterrupt within the block, once.

    Another Ctrl-C does not keep the block from cleaning up, which must be short.
    """

    def once(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, once)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
