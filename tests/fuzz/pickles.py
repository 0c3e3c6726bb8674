"""Changes to a pickle step by step: the program that it is stays readable, and does something else."""

from __future__ import annotations

import pickletools
import struct
from random import Random

from mutations import DEEP, raw

_TWICE = b"q\x00h\x00\x86"  # remember what is on top, and make a tuple of it and itself
_LONG = struct.pack("<I", 2**31 - 1)
_TEXT = b"X\x03\x00\x00\x00abc"

# what may stand between any two steps, from harmless to what a reader must not do
_ODD = (
    b"N", b"\x88", b"K\x01", b"J\xff\xff\xff\xff", _TEXT, b"B\x02\x00\x00\x00ab", b"}", b"]", b")", b"\x8f",
    b"(", b"0", b"1", b"2", b".", b"t", b"l", b"d", b"e", b"u", b"s", b"a", b"b", b"R", b"\x81", b"\x92", b"o",
    b"\x85", b"\x86", b"\x87", b"\x90", b"\x91", b"\x93", b"\x94", b"q\x00", b"h\x00", b"h\xff", b"j" + _LONG,
    b"r" + _LONG, b"r" + struct.pack("<I", 300_000), b"\x95" + struct.pack("<Q", 2**62), b"\x80\x05", b"\x80\xff",
    b"\x8a\x04" + _LONG, b"\x8b" + _LONG, b"\x8b\x00\x01\x00\x00" + b"\x7f" * 256, b"X" + _LONG, b"B" + _LONG,
    b"\x8d" + struct.pack("<Q", 2**62), b"\x8e" + struct.pack("<Q", 2**62), b"\x96" + struct.pack("<Q", 2**40),
    b"G" + struct.pack(">d", float("nan")), b"I99999999999999999999\n", b"L" + b"9" * 5000 + b"L\n", b"P1\n", b"Q",
    b"\x82\x01", b"\x84" + _LONG, b"\x97", b"\x98", b"p0\n", b"g0\n", b"g-1\n",
    b"cos\nsystem\n" + _TEXT + b"\x85R", b"cbuiltins\nexec\n", b"cnumpy\nload\n", b"cbuiltins\ngetattr\n",
    b"cnumpy.core.multiarray\n_reconstruct\n", b"cnumpy\ndtype\n", b"cnumpy\nndarray\n", b"c_codecs\nencode\n",
    b"(ios\nsystem\n", b"X\x02\x00\x00\x00osX\x06\x00\x00\x00system\x93",
    b")" + _TWICE * 60, b")" + b"\x85" * DEEP, b"]" * DEEP, b"(" * DEEP, b"]q\x00h\x00a",
    b"}q\x00X\x01\x00\x00\x00xh\x00s",
    b"]q\x00(" + b"h\x00" * 1000 + b"t", b")q\x00" + b"h\x00\x85q\x00" * 1000, b"\x8fq\x00(h\x00\x90",
)  # fmt: skip


def pickle_file(content: bytes, rng: Random) -> bytes:
    """A pickle with steps that are other ones, left out, repeated, moved or put in; or other bytes."""
    if rng.random() < 0.15:
        return raw(content, rng)
    try:
        steps = _steps(content)
    except Exception:  # changed before: pickletools raises many kinds
        return raw(content, rng)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        _change(steps, rng)
    return b"".join(steps)


def _steps(content: bytes) -> list[bytes]:
    places = [place for _, _, place in pickletools.genops(content)]
    return [content[start:end] for start, end in zip(places, [*places[1:], len(content)])]


def _change(steps: list[bytes], rng: Random) -> None:
    """Half of the time among the first steps of all, where the table and the first array are made."""
    place = rng.randrange(min(len(steps), 60) if rng.random() < 0.5 else len(steps))
    other, action = rng.randrange(len(steps)), rng.random()
    if action < 0.35:
        steps.insert(place, rng.choice(_ODD))
    elif action < 0.45:
        steps[place] = rng.choice(_ODD)
    elif action < 0.55:
        del steps[place : place + rng.choice((1, 1, 2, 5))]
    elif action < 0.65:
        again = steps[other : other + rng.choice((1, 2, 8, 30))]
        steps[place:place] = again * (rng.choice((1, 1, 3, 1000)) if sum(map(len, again)) < 1000 else 1)
    elif action < 0.75:
        steps[place], steps[other] = steps[other], steps[place]
    elif len(steps[place]) > 1:
        steps[place] = steps[place][:1] + _argument(steps[place][1:], rng)
    if not steps:
        steps.append(b".")


def _argument(argument: bytes, rng: Random) -> bytes:
    """What follows a step's first byte, with its length as it was most of the time."""
    if len(argument) in (1, 2, 4, 8) and rng.random() < 0.7:
        size = len(argument)
        return rng.choice((b"\0" * size, b"\xff" * size, rng.randbytes(size), argument[::-1]))
    data = bytearray(argument)
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)
