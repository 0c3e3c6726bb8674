"""A time limit for code that may never end: an exception is raised in it, again and again until it gives up."""

from __future__ import annotations

import contextlib
import ctypes
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_AGAIN = 0.1  # seconds: an answer that catches everything is told once more


class TooSlow(BaseException):  # not an Exception: answers catch those
    """The time is over."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise :class:`TooSlow` in the body once it has run for ``seconds``.

    In the main thread a timer of the system does it, which also ends a sleep; elsewhere, and on Windows, a second
    thread, whose exception is seen between two steps of Python's own code.
    """
    here = threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer")
    with (_by_alarm if here else _by_thread)(seconds):
        yield


@contextmanager
def _by_alarm(seconds: float) -> Iterator[None]:
    over = False

    def stop(*_) -> None:
        if not over:
            raise TooSlow

    handler = signal.signal(signal.SIGALRM, stop)
    timer = signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
    try:
        yield
    finally:
        over = True
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, handler)


@contextmanager
def _by_thread(seconds: float) -> Iterator[None]:
    ident, done = ctypes.c_ulong(threading.get_ident()), threading.Event()

    def stop() -> None:
        wait = seconds
        while not done.wait(wait):
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(TooSlow))
            wait = _AGAIN

    thread = threading.Thread(target=stop, daemon=True)
    thread.start()
    try:
        yield
    finally:
        while thread.is_alive():  # an exception that was sent just now arrives here, and no later
            with contextlib.suppress(TooSlow):
                done.set()
                thread.join()
