"""What is asked: prompts, the corpora they come from, and the seeded choice among them.

`prompt` is one, `conversation` its turns; `corpus` and `large` hold many, `mix` chooses (`seeded`), `recipe` and
`made_up` make text. `request_fields`, `field_kinds` and `field_check` say what a request may hold; `formats/` reads
files. Read in every process, since each worker has its own part of the prompts. Pure.
"""

if __name__ == "payloads":  # a second module for the same file would make every class twice
    raise ImportError("say tokenswarm.payloads")
