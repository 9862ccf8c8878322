"""Requests to the hub or a store are repeated while their errors may pass by themselves."""

from __future__ import annotations

from collections.abc import Callable
from time import sleep
from typing import TypeVar

from blendtune_runtime.store_errors import Kind, classify, retry_after

T = TypeVar("T")

_PAUSES_SECONDS = (1.0, 4.0, 15.0)
_LONGEST_PAUSE_SECONDS = 600.0  # a server that asks for more is left to another attempt


def with_retries(request: Callable[[], T], place: str) -> T:
    """The result of the request, which is repeated after errors that may pass. Raises the last error.

    A server that says when to come back (`Retry-After`) is obeyed. `place` begins what is printed.
    """
    for pause in _PAUSES_SECONDS:
        try:
            return request()
        except Exception as error:
            asked = retry_after(error)
            if classify(error) is not Kind.TRANSIENT or asked > _LONGEST_PAUSE_SECONDS:
                raise
            seconds = max(pause, asked)
            said = next(iter(str(error).strip().splitlines()), "")
            print(f"{place}: {type(error).__name__}: {said}; trying again in {seconds:.0f} s", flush=True)
            sleep(seconds)
    return request()
