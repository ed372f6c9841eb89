"""Waiting for conditions with deadlines: the tests never sleep for a length of time and hope."""

import threading
import time

_never = threading.Event()


class Deadline(Exception):
    """A condition did not become true in time."""


def until(condition, seconds, what, every=0.02):
    """Returns the first true value of condition(); raises Deadline naming `what` after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            raise Deadline(f"{what}: not within {seconds} s")
        _never.wait(every)


def let_pass(seconds):
    """For the few facts that are about time itself (a session that expires, a wait that a golden vector demands)."""
    _never.wait(seconds)
