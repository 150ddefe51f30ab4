"""Bytes and their times: connections, kernel stamps, slices of the event loop. In each process with users.

`connection` sends and `receiving` reads one request (`exchange`), by `http1`, `compressed` and `kernel_stamps`;
`time_slices` lets one greenlet at a time interpret, `room` bounds what all hold, `health` watches the process itself.
`control` and `listing` ask small questions beside the load, also on the master; `target` and `refusal` serve both.
"""
