"""What the simulator speaks, in its own process: `routes` has the paths, one dialect a file.

`request`, `native_request` and `v1_request` read, `generation` hands to the engine, `reply` and `answer` write;
`listing`, `lookup`, `management`, `registry` and `races` are models and their names.
"""
