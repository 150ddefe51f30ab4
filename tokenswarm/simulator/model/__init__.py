"""What the simulated model says, in the simulator's process: `plan` lays an answer out, `models` names it.

`script`, `tokens`, `json_text`, `tools` and `vectors` make it up; `faults` go wrong on purpose, a model name each.
"""
