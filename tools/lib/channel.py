# SPDX-License-Identifier: GPL-2.0
"""Frames between the host and the guest's agent (tools/guest/frame.rs is the other end)."""

import struct

START, INPUT, SIGNAL, WINDOW, SYSRQ, POWER_OFF = range(1, 7)
READY, OUTPUT, ENDED, REFUSED, LOG = range(65, 70)

WITH_INPUT, ON_TERMINAL = 1, 2

_HEADER = struct.Struct("<BII")
_PIECE = 65536


def send(stream, kind, job=0, payload=b""):
    """Writes one frame."""
    stream.write(_HEADER.pack(kind, job, len(payload)) + payload)
    stream.flush()


def pieces(content):
    """Cuts content into payloads."""
    return (content[start:start + _PIECE] for start in range(0, len(content), _PIECE))


def frames(stream):
    """Yields (kind, job, payload) until the stream ends."""
    while True:
        header = stream.read(_HEADER.size)
        if len(header) < _HEADER.size:
            return
        kind, job, length = _HEADER.unpack(header)
        payload = stream.read(length)
        if len(payload) < length:
            return
        yield kind, job, payload


def ended(payload):
    """Returns (wait status, seconds) of an ENDED frame."""
    status, nanoseconds = struct.unpack("<iQ", payload)
    return status, nanoseconds / 1e9
