"""What a run's processes open: all sockets of a tree of processes, from Linux's own account in /proc."""

from __future__ import annotations

import ipaddress
import os
import re
import struct
import time
from pathlib import Path

PROC = Path("/proc")


def tree(root: int) -> list[int]:
    """``root`` and all processes below it."""
    parents = {}
    for entry in PROC.glob("[0-9]*"):
        try:
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended
            continue
    found = [root]
    for process in found:
        found += [child for child, parent in parents.items() if parent == process]
    return found


def supervisor(folder: Path, patience: float = 60.0) -> int:
    """The process that watches over the run in ``folder``; just launched, it may still bear its parent's name."""
    deadline = time.monotonic() + patience
    while True:
        for entry in PROC.glob("[0-9]*"):
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if b"training.supervisor\0" + os.fsencode(folder) + b"\0" in command:
                return int(entry.name)
        assert time.monotonic() < deadline, f"nobody watches over {folder}"
        time.sleep(0.05)


def internet_sockets(process: int) -> list[tuple[str, str]]:
    """Kind and local address of all sockets of a process but Unix domain ones."""
    try:
        links = [_link(descriptor) for descriptor in (PROC / str(process) / "fd").iterdir()]
        tables = {kind: (PROC / str(process) / "net" / kind).read_text() for kind in ("tcp", "tcp6", "udp", "udp6")}
    except OSError:  # it has ended
        return []
    inodes = {match[1] for link in links if (match := re.fullmatch(r"socket:\[(\d+)\]", link))}
    rows = [(kind, line.split()) for kind, table in tables.items() for line in table.splitlines()[1:]]
    return [(kind, address(row[1])) for kind, row in rows if row[9] in inodes]


def _link(descriptor: Path) -> str:
    try:
        return os.readlink(descriptor)
    except OSError:  # closed by now
        return ""


def address(text: str) -> str:
    """The address of ``0100007F:B1FB``: words of the machine's own byte order."""
    host = text.partition(":")[0]
    words = [int(host[i : i + 8], 16) for i in range(0, len(host), 8)]
    return str(ipaddress.ip_address(struct.pack(f"={len(words)}I", *words)))


def beyond_loopback(process: int) -> list[tuple[str, str]]:
    """Those sockets of a process that others than this machine can reach."""
    return [(kind, where) for kind, where in internet_sockets(process) if not _is_loopback(where)]


def _is_loopback(where: str) -> bool:
    ip = ipaddress.ip_address(where)
    return (getattr(ip, "ipv4_mapped", None) or ip).is_loopback
