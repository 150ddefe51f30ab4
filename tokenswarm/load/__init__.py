"""When it is asked: arrivals, traces, the dispatcher of an open loop."""
