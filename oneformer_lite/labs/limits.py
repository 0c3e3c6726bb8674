"""A time limit for code that may never end: an exception is raised in it, again and again until it gives up."""

from __future__ import annotations

import contextlib
import ctypes
import signal
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType

_AGAIN = 0.1  # seconds: an answer that catches everything is told once more


class TooSlow(BaseException):  # not an Exception: answers catch those
    """The time is over."""


def limited(seconds: float) -> AbstractContextManager:
    """Raise :class:`TooSlow` in the body once it has run for ``seconds``.

    In the main thread a timer of the system does it, which also ends a sleep; elsewhere, and on Windows, a second
    thread, whose exception is seen between two steps of Python's own code.
    """
    here = threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer")
    return (_Alarm if here else _by_thread)(seconds)


class _Alarm:
    """No generator, so that all code between the body and the end of the timer is of this file."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.over = seconds, False

    def __enter__(self) -> None:
        self.handler = signal.signal(signal.SIGALRM, self._stop)
        self.timer = signal.setitimer(signal.ITIMER_REAL, self.seconds, _AGAIN)

    def __exit__(self, *_) -> None:
        self.over = True  # an alarm that another thread has received may ring after the timer has ended
        signal.setitimer(signal.ITIMER_REAL, *self.timer)
        signal.signal(signal.SIGALRM, self.handler)

    def _stop(self, _, frame: FrameType) -> None:
        """Raise in the body alone: here, the exception would leave the timer running for ever."""
        if not self.over and frame.f_globals is not globals():
            raise TooSlow


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
