"""A against B: are two runs, or two sets of runs, comparable; and is B faster, slower, or can nobody tell?

`comparable` and `answered` judge the first, `figures` by `contrast` the second, `verdicts` says it, `gates` fails on
it; `comparison` is the whole as a value, for `console`, `page`, `plots` and `data`. The rest is statistics: `strata`,
`steady`, `blocks`, `holm`, `student`, `shift`, `rates`. In the process of `tokenswarm compare`, and of `ab` at its end.
"""
