#!/usr/bin/env python3
"""Runs a command as a container would whose seccomp profile refuses io_uring.

    scripts/refuse-uring.py EPERM|ENOSYS COMMAND...

A filter answers io_uring_setup, io_uring_enter and io_uring_register with the errno; it stays over
execve, so all children have it. x86_64 and aarch64 number these three calls alike.
"""

import ctypes
import errno
import os
import struct
import sys

CALLS = (425, 426, 427)
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 22, 38
SECCOMP_MODE_FILTER = 2
RET_ALLOW, RET_ERRNO = 0x7FFF0000, 0x00050000
LOAD_WORD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06


def program(number):
    """Classic BPF: load the call's number, compare it with each of ours, answer."""
    lines = [(LOAD_WORD, 0, 0, 0)]
    for i, call in enumerate(CALLS):
        lines.append((JUMP_IF_EQUAL, len(CALLS) - i, 0, call))
    lines.append((RETURN, 0, 0, RET_ALLOW))
    lines.append((RETURN, 0, 0, RET_ERRNO | number))
    return b"".join(struct.pack("=HBBI", *line) for line in lines), len(lines)


def main():
    if len(sys.argv) < 3 or sys.argv[1] not in ("EPERM", "ENOSYS"):
        sys.exit(__doc__)
    code, length = program(getattr(errno, sys.argv[1]))
    code = ctypes.create_string_buffer(code, len(code))
    filter_program = struct.pack("@HxxxxxxP", length, ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
        PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter_program, 0, 0
    ):
        sys.exit(f"seccomp: {os.strerror(ctypes.get_errno())}")
    os.execvp(sys.argv[2], sys.argv[2:])


main()
