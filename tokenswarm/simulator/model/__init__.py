"""What the simulated model says: plans, tokens, tools, vectors."""
