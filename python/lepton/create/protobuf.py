"""Reads protobuf messages without their schema: only what is asked for is decoded."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from typing import NamedTuple


class _Field(NamedTuple):
    """One field of a message."""

    number: int
    value: int  # A varint's value; for other types the offset of the bytes.
    end: int


class DamagedError(Exception):
    """The bytes are not a message."""


class Cut(NamedTuple):
    """A part of a file: one message."""

    data: mmap.mmap | bytes
    begin: int
    end: int

    def fields(self) -> Iterator[_Field]:
        """Yields its fields; raises DamagedError at the first invalid one."""
        data, at, end = self.data, self.begin, self.end
        while at < end:
            key, at = _varint(data, at, end)
            number, wire = key >> 3, key & 7
            if wire == 0:
                value, at = _varint(data, at, end)
                yield _Field(number, value, at)
                continue
            if wire == 2:
                size, at = _varint(data, at, end)
            elif wire in (1, 5):
                size = 8 if wire == 1 else 4
            else:
                raise DamagedError
            if at + size > end:
                raise DamagedError
            yield _Field(number, at, at + size)
            at += size

    def inside(self, field: _Field) -> Cut:
        """Returns the message that a field holds."""
        return Cut(self.data, field.value, field.end)

    def all(self, number: int) -> Iterator[Cut]:
        """Yields what each field with a number holds."""
        return (self.inside(field) for field in self.fields() if field.number == number)

    def first(self, number: int) -> Cut | None:
        """Returns what the first field with a number holds."""
        return next(self.all(number), None)

    def content(self) -> bytes:
        """Returns its bytes."""
        return self.data[self.begin : self.end]

    def number(self, number: int) -> int | None:
        """Returns the first field with a number, as a varint."""
        return next((field.value for field in self.fields() if field.number == number), None)

    def text(self, number: int) -> str:
        """Returns the first field with a number as text; "" if there is none."""
        part = self.first(number)
        return "" if part is None else part.content().decode(errors="replace")


def _varint(data: mmap.mmap | bytes, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < 64:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise DamagedError
