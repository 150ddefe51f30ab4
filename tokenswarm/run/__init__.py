"""The run: its life in each process, Locust's runners, rows on their way to the master.

`lifecycle` begins it after `preparation`, `closing` ends it; `cluster` and `curve` know Locust's runners, `publisher`
and `handover` carry rows on each worker, `recorder`, `folder_watch`, `slo_gate` and `terminal` stand where the folder
is. A capability is a `feature`: `open_loop`, `stages`, `counted`, `depths`, `same_prompts`, `live`, `server_side`,
`otel`.
"""
