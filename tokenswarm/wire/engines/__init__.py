"""What engines say of their own work beside OpenAI's `usage`: one file an engine, all mapped to the same Usage.

`table` says in which object of a frame each of them says it. Read where answers are, in each process with users.
"""
