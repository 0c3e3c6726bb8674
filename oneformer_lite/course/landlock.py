"""Landlock: a process gives up, for good, every file but those that it names (Linux 5.13, no privileges needed)."""

from __future__ import annotations

import ctypes
import os
import sys
import sysconfig
from pathlib import Path

import numpy
import torch

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same on every architecture
_VERSION = 1  # flag of _CREATE
_READ_FILE, _READ_FOLDER = 1 << 2, 1 << 3
_EVERYTHING = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}  # by version: files
_TCP, _SCOPES = 0b11, 0b11  # from version 4: bind, connect; from 6: abstract sockets, signals
_CLOSE_ON_EXEC, _PATH_ALONE = 0o2000000, 0o10000000

Readable = int  # a file descriptor of a ruleset


class _Rules(ctypes.Structure):
    _fields_ = [("files", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scopes", ctypes.c_uint64)]


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32)]


def version() -> int:
    """Landlock's version here; 0 where there is none."""
    if sys.platform != "linux":
        return 0
    return max(0, _libc().syscall(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION)))


def libraries_only() -> Readable | None:
    """What may be read: Python's and the system's libraries, but nothing of this package; None without Landlock."""
    found = version()
    if not found:
        return None
    files = _EVERYTHING[max(v for v in _EVERYTHING if v <= found)]
    rules = _Rules(files, _TCP if found >= 4 else 0, _SCOPES if found >= 6 else 0)
    size = 8 if found < 4 else 16 if found < 6 else 24
    ruleset = _libc().syscall(_CREATE, ctypes.byref(rules), ctypes.c_size_t(size), ctypes.c_uint32(0))
    if ruleset < 0:
        return None
    for place in _libraries():
        _allow(ruleset, place, _READ_FILE | _READ_FOLDER if place.is_dir() else _READ_FILE)
    for folder in _packages():
        _allow(ruleset, folder, _READ_FOLDER)
    return ruleset


def restrict(ruleset: Readable) -> None:
    """From here on; ``no_new_privs`` must be set."""
    if _libc().syscall(_RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint32(0)):
        raise OSError(ctypes.get_errno(), "Landlock refused its rules")


def _libraries() -> list[Path]:
    """The standard library, each installed package but ours, and the system's own."""
    paths = sysconfig.get_paths()
    names = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache", "/dev/urandom", "/dev/null")
    system = [Path(name) for name in names]
    standard = [Path(paths[name]) for name in ("stdlib", "platstdlib")]
    parts = [part for folder in (*_packages(), *standard) for part in folder.iterdir()]
    ours = [part for part in parts if "oneformer" not in part.name.lower() and part.name != "site-packages"]
    return [place for place in (*system, *ours) if place.exists() and not _holds_package(place)]


def _holds_package(place: Path) -> bool:
    return place.resolve() in Path(__file__).resolve().parents


def _packages() -> list[Path]:
    folders = {Path(sysconfig.get_paths()[name]).resolve() for name in ("purelib", "platlib")}
    return sorted(folders | {Path(str(module.__file__)).resolve().parents[1] for module in (numpy, torch)})


def _allow(ruleset: Readable, place: Path, rights: int) -> None:
    handle = os.open(place, _PATH_ALONE | _CLOSE_ON_EXEC)
    try:
        rule = _Beneath(rights, handle)
        _libc().syscall(_ADD, ctypes.c_int(ruleset), ctypes.c_int(1), ctypes.byref(rule), ctypes.c_uint32(0))
    finally:
        os.close(handle)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
