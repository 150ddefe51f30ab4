"""A simulator that answers at once."""

FAST = ("--decode-tps", "1000", "--load-ms", "1", "--output-tokens", "6", "--slowdown", "0", "--parallel", "64")
