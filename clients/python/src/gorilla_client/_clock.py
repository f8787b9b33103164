"""A clock that goes on while the machine is suspended, and that nobody sets."""

import sys
import time

# On Linux only this clock counts suspension. The monotonic clock of macOS does so by itself.
_CLOCK: int = time.CLOCK_BOOTTIME if sys.platform == "linux" else time.CLOCK_MONOTONIC

LOOK = 0.5
"""How long a sleep lasts at most before the clock is looked at again, in seconds. Timers stand still while the machine
is suspended."""


class Clock:
    """Seconds since the start of the machine."""

    def now(self) -> float:
        return time.clock_gettime(_CLOCK)
