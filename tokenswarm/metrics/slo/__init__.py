"""Service level objectives: `language` reads them, `judge` and `sequential` judge, `junit` writes for CI.

While a run goes on in the process that has the run folder, and again in reports, from the rows.
"""
