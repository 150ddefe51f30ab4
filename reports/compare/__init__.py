"""A against B: are two runs, or two sets of runs, comparable; and is B faster, slower, or can nobody tell?"""
