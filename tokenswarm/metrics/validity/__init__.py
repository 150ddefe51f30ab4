"""May the figures be believed? Rules, the evidence they are judged on, and the workers."""
