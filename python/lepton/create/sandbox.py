"""Takes away from the process that reads a model what it does not need.

    python sandbox.py FOLDER PROGRAM [ARGUMENT ...]

runs PROGRAM confined, with what the kernel does not offer as further arguments. It is a program of
its own because Landlock confines one thread, and importing numpy starts more.

A model's file is read by frameworks that were not written for files from strangers. An attack that
gets past the inspection of the file finds no network, one folder to write to, no way to more
privileges, and a limit on memory. The kernel enforces this, with Landlock and seccomp, for the
process and all that it starts.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import struct
import sys
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)

# linux/prctl.h, linux/seccomp.h, linux/landlock.h
_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, _PR_SET_NO_NEW_PRIVS = 22, 2, 38
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # The same on every architecture.
_GET_VERSION = _PATH_BENEATH = 1
# Write rights by the first version that has them: to write, remove and make files of each kind; to
# link from elsewhere; to truncate. Read rights are left alone.
_WRITES = {1: 0b1_1111_1111_0010, 2: 1 << 13, 3: 1 << 14}
_WRITE_FILE = 1 << 1
_CONNECT_AND_BIND_TCP, _SINCE_TCP = 0b11, 4
_SCOPE_SOCKETS_AND_SIGNALS, _SINCE_SCOPE = 0b11, 6

# The refused system calls, by architecture: its AUDIT_ARCH, and their numbers. They are socket,
# connect, bind and listen; io_uring, which can do the same; ptrace, process_vm_writev and
# pidfd_getfd, which reach into other processes; those of mounts, modules, BPF, keys and reboot.
_MACHINES: dict[str, tuple[int, tuple[int, ...]]] = {
    "x86_64": (
        0xC000003E,
        (41, 42, 49, 50, 101, 155, 161, 165, 166, 169, 175, 246, 248, 249, 250, 272, 298, 304, 308,
         310, 311, 313, 321, 323, 425, 426, 427, 428, 429, 430, 431, 432, 438, 442),
    ),
    "aarch64": (
        0xC00000B7,
        (39, 40, 41, 51, 97, 104, 105, 142, 117, 198, 200, 201, 203, 217, 218, 219, 241, 265, 268,
         270, 271, 273, 280, 282, 425, 426, 427, 428, 429, 430, 431, 432, 438, 442),
    ),
}  # fmt: skip
_X32 = 0x40000000  # The start of x86-64's second set of system calls.
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000 | 13, 0x80000000  # EACCES


class _Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def confine(folder: Path) -> list[str]:
    """Confines this process and its children for good; call it while there is one thread.

    Args:
        folder: The folder that it may write to, besides /dev/null.

    Returns:
        The protections that the kernel does not offer.
    """
    _limit_memory()
    _LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    missing = []
    if not _restrict_files(folder):
        missing.append("writing outside its folder (no Landlock)")
    if not _refuse_calls():
        missing.append("the network (no seccomp)")
    return missing


def _limit_memory() -> None:
    """Limits its memory to what is available, so that it fails before others are killed."""
    bound = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            bound = min(bound, int(Path("/sys/fs/cgroup", name).read_text()))
        except (OSError, ValueError):
            continue
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        bound = min(bound, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (bound, bound))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _restrict_files(folder: Path) -> bool:
    version = _LIBC.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _GET_VERSION)
    if version < 1:
        return False
    writes = sum(rights for since, rights in _WRITES.items() if since <= version)
    tcp = _CONNECT_AND_BIND_TCP if version >= _SINCE_TCP else 0
    scope = _SCOPE_SOCKETS_AND_SIGNALS if version >= _SINCE_SCOPE else 0
    attributes = struct.pack("=QQQ", writes, tcp, scope)
    rules = _LIBC.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    if rules < 0:
        return False
    try:
        for path, rights in ((folder, writes), (Path("/dev/null"), _WRITE_FILE)):
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
            rule = struct.pack("=Qi", rights, place)
            failed = _LIBC.syscall(_ADD_RULE, rules, _PATH_BENEATH, rule, 0)
            os.close(place)
            if failed:
                return False
        return bool(_LIBC.syscall(_RESTRICT_SELF, rules, 0) == 0)
    finally:
        os.close(rules)


def _refuse_calls() -> bool:
    known = _MACHINES.get(platform.machine())
    if known is None:
        return False
    architecture, calls = known

    def step(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
        return struct.pack("=HBBI", code, then, otherwise, value)

    load, equal, above, give = 0x20, 0x15, 0x35, 0x06
    code = [
        step(load, 4),  # seccomp_data.arch
        step(equal, architecture, 1, 0),
        step(give, _KILL),
        step(load, 0),  # seccomp_data.nr
        # Each jump skips the calls after it and the step that allows.
        step(above, _X32, len(calls) + 1, 0),
        *(step(equal, call, len(calls) - at + 1, 0) for at, call in enumerate(calls, 1)),
        step(give, _ALLOW),
        step(give, _REFUSE),
    ]
    program = b"".join(code)
    whole = _Filter(len(code), program)
    return bool(_LIBC.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(whole), 0, 0) == 0)


if __name__ == "__main__":
    not_kept_from = confine(Path(sys.argv[1]))
    os.execv(sys.argv[2], [*sys.argv[2:], *not_kept_from])
