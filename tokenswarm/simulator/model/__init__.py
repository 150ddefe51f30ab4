"""What the simulated model says: plans, tokens, tools, vectors; and its faults, a model name each."""
