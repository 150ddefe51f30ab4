"""Locust with a clock that is off, as on another machine: `python shifted_worker.py SECONDS LOCUST-OPTIONS…`.

Python's wall clock and the kernel's stamps are shifted together, before Locust is loaded; so is the boot's name.
A second number, as in `3.2,-1.5@4`, sets the clock by so much more, so many seconds after the start.
"""

import sys
import time

if __name__ == "__main__":
    first, _, later = sys.argv[1].partition(",")
    step, _, after = later.partition("@")
    real_s, real_ns, set_at_s = time.time, time.time_ns, time.monotonic() + float(after or 1e9)

    def shift_s() -> float:
        """How far the clock is ahead now."""
        return float(first) + (float(step or 0) if time.monotonic() >= set_at_s else 0)

    time.time = lambda: real_s() + shift_s()
    time.time_ns = lambda: real_ns() + round(shift_s() * 1e9)

    from locust.main import main

    from tokenswarm.run import clock_sync as clocks
    from tokenswarm.transport import kernel_stamps as stamps

    of_the_kernel = stamps.stamp_ns
    stamps.stamp_ns = lambda found: None if (ns := of_the_kernel(found)) is None else ns + round(shift_s() * 1e9)
    clocks.boot_id = lambda: "another machine"
    sys.argv[:2] = ["locust"]
    main()
