"""When it is asked: arrivals, traces, the dispatcher of an open loop.

`pacer` is the one question (may this user go on?), `arrivals` and `trace` say when requests are due (pure, seeded, the
same in every process), `dispatcher` and `timer` wait for them in each process with users; `tickets` deals out a number
of requests, from the master to its workers.
"""
