"""Functions that are called in a process of their own; this module imports nothing heavy."""

import os
import time


def process() -> int:
    return os.getpid()


def crash() -> None:
    os._exit(7)


def killed() -> None:
    os.kill(os.getpid(), 9)


def fail() -> None:
    raise ValueError("first line\nsecond line")


def sleep() -> None:
    time.sleep(60)
