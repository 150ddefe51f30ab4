"""May the figures be believed? VALID or INVALID, in the process that has the run folder, and in reports.

`rules` has every reason why not, on one screen, `evidence` the sums over the rows that they judge, `workers` what
became of those; `client_limit` asks the same of one trial of a capacity search.
"""
