"""The run folder: rows, spools, verdicts. The one thing that a run and its reports share.

`row` is a Record as a row, both ways, `lines` many as bytes, `append` and `run_folder` where they go, `server_csv` what
the server says beside them. `spool` keeps a worker's rows until the master has them; `damage` and `verdict` read the
whole, in the master when a run ends and in reports.
"""
