"""How much it can take: the search for the highest load that meets the SLOs.

In the process that has the run folder: `controller` runs it, `options` bound it, `search` chooses the next load,
`stopping` and `trial` judge one, `estimate`, `load_curve` and `answer` all of them. In each process with users: `gate`.
"""
