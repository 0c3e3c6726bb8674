"""Changes to what lies within a container whose own structure stays whole: PNG and other pictures, zip and tar. A
flipped bit in one of them would else be noticed at the first checksum and go no further."""

from __future__ import annotations

import io
import struct
import tarfile
import warnings
import zipfile
import zlib
from random import Random

import numpy as np
from mutations import json_text, raw
from PIL import Image

_SIZES = (0, 1, 2, 255, 65_535, 100_000, 2**31 - 1, 2**31, 2**32 - 1)
_NAMES = (
    "", " ", "a\0b", "/abs.png", "../up.png", "a/../../up.png", "C:\\up.png", "\\\\host\\x.png", "x" * 300 + ".png",
    ".png", "a/b/c.png", "a/", "ä.png", "\ud800.png", ".hidden.png", "con.png", "a\nb.png", "..", ".", "~", "a//b.png",
)  # fmt: skip


# -- pictures


def png(content: bytes, rng: Random) -> bytes:
    """A PNG with a changed, doubled or missing chunk whose checksum is right, or other bytes."""
    if rng.random() < 0.3 or not content.startswith(b"\x89PNG"):
        return raw(content, rng)
    chunks, place = [], 8
    while place < len(content):
        (length,) = struct.unpack(">I", content[place : place + 4])
        chunks.append([content[place + 4 : place + 8], content[place + 8 : place + 8 + length]])
        place += length + 12
    chosen = rng.randrange(len(chunks))
    kind, data = chunks[chosen]
    action = rng.random()
    if kind == b"IHDR" or action < 0.25:
        chunks[0][1] = _header(chunks[0][1], rng)
    elif action < 0.55:
        chunks[chosen][1] = raw(data, rng)
    elif action < 0.65:
        del chunks[chosen]
    elif action < 0.75:
        chunks.insert(rng.randrange(len(chunks) + 1), chunks[chosen])
    else:
        chunks.insert(rng.randrange(1, len(chunks) + 1), list(_extra_chunk(rng)))
    return content[:8] + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def _header(data: bytes, rng: Random) -> bytes:
    fields = list(struct.unpack(">IIBBBBB", data))
    which = rng.randrange(7)
    fields[which] = rng.choice(_SIZES) if which < 2 else rng.choice((0, 1, 2, 3, 4, 6, 7, 8, 16, 32, 255))
    return struct.pack(">IIBBBBB", *fields)


def _extra_chunk(rng: Random) -> tuple[bytes, bytes]:
    bomb = zlib.compress(b"\0" * 2**20)
    return rng.choice((
        (b"zTXt", b"comment\0\0" + bomb),
        (b"iCCP", b"icc\0\0" + bomb),
        (b"iTXt", b"a\0\x01\0\0\0" + bomb),
        (b"eXIf", rng.randbytes(40)),
        (b"PLTE", rng.randbytes(rng.choice((1, 3, 300, 3000)))),
        (b"tRNS", rng.randbytes(rng.choice((1, 2, 6, 300)))),
        (b"acTL", rng.randbytes(8)),
        (b"fcTL", rng.randbytes(26)),
        (b"IDAT", rng.randbytes(50)),
        (b"IEND", b""),
    ))  # fmt: skip


def tiff(content: bytes, rng: Random) -> bytes:
    """A little-endian TIFF with a tag of another number, kind, count or value; or one to three of them."""
    data = bytearray(content)
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    for _ in range(rng.choice((1, 1, 2, 3))):
        entry = start + 2 + 12 * rng.randrange(count)
        tag, kind, many, value = struct.unpack_from("<HHII", data, entry)
        which = rng.randrange(4)
        if which == 0:
            tag = rng.choice((256, 258, 259, 262, 273, 277, 278, 279, 284, 317, 320, 338, 339, 700, 34675, 65_535))
        elif which == 1:
            kind = rng.choice((0, 1, 2, 3, 4, 5, 12, 13, 16, 255))
        elif which == 2:
            many = rng.choice(_SIZES)
        else:
            value = rng.choice((*_SIZES, 3, 4, 5, 7, 8, 16, 32_773, 50_000, start, value + 1))
        struct.pack_into("<HHII", data, entry, tag, kind, many, value)
    return bytes(data)


def repainted(content: bytes, rng: Random) -> bytes:
    """The same picture in another mode, size, format or turn, or with other values; a valid file."""
    with Image.open(io.BytesIO(content)) as picture:
        picture.load()
    action, options = rng.random(), {}
    if action < 0.4:
        mode = rng.choice(("1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "I", "F", "I;16"))
        picture = picture.convert("L").convert(mode) if mode in ("I", "F", "I;16") else picture.convert(mode)
    elif action < 0.6:
        picture = picture.resize(rng.choice(((1, 1), (1, 500), (500, 1), (picture.height, picture.width), (3, 7))))
    elif action < 0.8:
        pixels = np.array(picture)
        value = rng.choice((0, 1, 7, 100, 254, 255)) % (int(pixels.max()) + 1)
        pixels.reshape(-1)[:: rng.choice((1, 2, 7, 50))] = value
        picture = Image.fromarray(pixels)
    else:
        options["exif"] = _exif(rng)
    out = io.BytesIO()
    for kind in rng.sample(("PNG", "TIFF", "BMP", "JPEG", "WEBP", "GIF"), 6) if rng.random() < 0.3 else ("PNG", "TIFF"):
        try:
            picture.save(out, kind, **options)
            return out.getvalue()
        except Exception:  # a mode, or an EXIF block, that the format does not take: Pillow raises many kinds
            out.seek(0)
            out.truncate()
    return content


def _exif(rng: Random) -> Image.Exif | bytes:
    if rng.random() < 0.3:
        return b"Exif\0\0" + rng.randbytes(60)
    exif = Image.Exif()
    exif[0x0112] = rng.choice((0, 1, 2, 3, 5, 6, 8, 9, 65_535))
    return exif


def picture(content: bytes, rng: Random) -> bytes:
    """Any picture file: other bytes, another valid picture, and for PNGs other chunks."""
    action = rng.random()
    if action < 0.4 and content.startswith(b"\x89PNG"):
        return png(content, rng)
    return repainted(content, rng) if action > 0.75 else raw(content, rng)


def sheet(content: bytes, rng: Random) -> bytes:
    """A run's picture: mostly its description (JSON in the EXIF block) changed."""
    if rng.random() < 0.3:
        return picture(content, rng)
    with Image.open(io.BytesIO(content)) as image:
        exif, pixels = image.getexif(), image.copy()
    told = json_text(exif[0x010E].encode(), rng)
    exif[0x010E] = told.decode("utf-8", errors="replace")[:60_000].replace("\0", "")
    out = io.BytesIO()
    pixels.save(out, "WEBP", exif=exif)
    return out.getvalue()


# -- archives


def zip_file(content: bytes, rng: Random) -> bytes:
    """A zip with a member of another name, kind, content or flag; every checksum right, or other bytes."""
    action = rng.random()
    if action < 0.35:
        return raw(content, rng)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    return _zipped(members, rng) if action < 0.8 else _flagged(content, rng)


def _zipped(members: list[tuple[str, bytes]], rng: Random) -> bytes:
    chosen, out = rng.randrange(len(members)), io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w") as archive:
        warnings.simplefilter("ignore")  # two members of one name
        for place, (name, data) in enumerate(members):
            info = zipfile.ZipInfo(name)
            if place == chosen:
                action = rng.random()
                if action < 0.2:
                    continue
                if action < 0.5:
                    info.filename = rng.choice(_NAMES)
                elif action < 0.6:
                    info.external_attr = rng.choice((0o120777, 0o040755, 0o020666, 0o010666)) << 16
                elif action < 0.7:
                    data = b"\0" * rng.choice((0, 2**20, 2**24))
                    info.compress_type = zipfile.ZIP_DEFLATED
                elif action < 0.8:
                    archive.writestr(zipfile.ZipInfo(name), data)
                else:
                    data = raw(data, rng)
            try:
                archive.writestr(info, data)
            except (UnicodeError, ValueError):
                archive.writestr("other.png", data)
    return out.getvalue()


def _flagged(content: bytes, rng: Random) -> bytes:
    """A field of a header or of the directory changed: encryption, method, sizes, offsets."""
    data, signature = bytearray(content), rng.choice((b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06"))
    places = [i for i in range(len(data)) if data[i : i + 4] == signature]
    place = rng.choice(places) + rng.randrange(4, 40)
    if place < len(data):
        data[place] = rng.choice((0, 1, 9, 12, 14, 99, 128, 255))
    return bytes(data)


def tar_file(content: bytes, rng: Random) -> bytes:
    """A tar file with a member of another name or kind, or other bytes."""
    if rng.random() < 0.4:
        return raw(content, rng)
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        members = [(info, archive.extractfile(info).read()) for info in archive.getmembers() if info.isreg()]
    chosen, out = rng.randrange(len(members)), io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=rng.choice((tarfile.GNU_FORMAT, tarfile.PAX_FORMAT))) as archive:
        for place, (info, data) in enumerate(members):
            if place == chosen:
                action = rng.random()
                if action < 0.15:
                    continue
                if action < 0.5:
                    info.name = rng.choice(_NAMES).replace("\ud800", "x")
                elif action < 0.75:
                    info.type = rng.choice((tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, b"S"))
                    info.linkname = rng.choice(("/etc/passwd", "../..", "", "x"))
                else:
                    info.size = rng.choice((0, 1, len(data)))
            archive.addfile(info, io.BytesIO(data))
    return raw(out.getvalue(), rng) if rng.random() < 0.2 else out.getvalue()
