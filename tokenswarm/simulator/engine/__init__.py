"""The simulator's time, in its own process: `schedule` has slots and steps, `loader` what is in memory.

`job` is one request, `runner` one loaded model with its prompt cache (`prefixes`), `pacer` wakes the schedule.
"""
