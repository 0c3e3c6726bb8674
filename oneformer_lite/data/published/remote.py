"""Asking a server: what a file is, how fast it comes, and which failures are worth another try."""

from __future__ import annotations

import time
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from urllib.error import HTTPError

from ...errors import DataError

BLOCK = 256 * 2**10
TIMEOUT = 30.0  # seconds without a byte
PAUSE = 1.0  # seconds before the second attempt, doubled each time
PROBES = 3
NETWORK_ERRORS = (OSError, HTTPException)  # urllib's URLError and all time-outs are OSErrors


class Changed(Exception):
    """The server no longer offers the file whose first pieces lie here."""


@dataclass(frozen=True)
class Remote:
    """What a server says of a file: ``version`` is a strong ETag, else the date of the last change, else ""."""

    url: str
    size: int
    version: str
    ranges: bool  # whether it sends a part on request


def probe(url: str) -> Remote:
    """Ask for the first byte, which tells everything about the file."""
    for attempt in range(PROBES):
        try:
            with request(url, {"Range": "bytes=0-0"}) as response:
                return describe(url, response)
        except NETWORK_ERRORS as error:
            why = reason(url, error)
            time.sleep(PAUSE * 2**attempt if attempt + 1 < PROBES else 0)
    raise DataError(f"{url} cannot be reached ({why}): check the connection, then run the same command again")


def describe(url: str, response) -> Remote:
    """The file that a response (status 200 or 206) is a part of."""
    headers, ranges = response.headers, response.status == 206
    size = headers.get("Content-Range", "").rpartition("/")[2] if ranges else headers.get("Content-Length", "")
    if not (size.isdecimal() and len(size) < 16):  # more than a million gigabytes is no size of a file
        raise DataError(f"{url}: the server does not say how large the file is, so it cannot be checked: use a mirror")
    etag = headers.get("ETag", "")
    strong = etag if etag and not etag.startswith("W/") else ""  # a weak one may stand for other bytes
    return Remote(url, int(size), strong or headers.get("Last-Modified", ""), ranges)


def measure_rate(url: str, seconds: float = 2.0) -> float:
    """Bytes a second that one connection brings, from reading for at most ``seconds``."""
    start, received = time.monotonic(), 0
    with suppress(*NETWORK_ERRORS), request(url, {"Range": "bytes=0-"}) as response:
        while time.monotonic() - start < seconds and (block := response.read(BLOCK)):
            received += len(block)
    return received / (time.monotonic() - start)


def request(url: str, headers: dict[str, str]):
    """Send a GET; returns the response, a context manager."""
    try:
        sent = urllib.request.Request(url, headers={"User-Agent": "oneformer-lite", **headers})
    except ValueError as error:
        raise DataError(f"{url!r} is no address ({error}): expected http://... or https://...") from error
    return urllib.request.urlopen(sent, timeout=TIMEOUT)


def reason(url: str, error: Exception) -> str:
    """Why a request failed, in words; raises :class:`DataError` at once if asking again cannot help."""
    if isinstance(error, HTTPError):
        if error.code == 416:
            raise Changed
        if error.code < 500 and error.code not in (408, 429):
            raise DataError(
                f"{url}: the server answers {error.code} {error.reason}: check the address, or use a mirror"
            )
    return str(error) or type(error).__name__
