"""The run folder: rows, spools, verdicts. The one thing that a run and its reports share."""
