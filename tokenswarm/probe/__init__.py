"""What the server is: slots, rates, context, by questions of its own. `tokenswarm probe`, one process, no load.

`questions` has them in order, `client` sends them, `estimates` (pure) reads the answers; `slots`, `rates` and
`model_loads` are the longer ones, `result` is one finding with how it was found.
"""
