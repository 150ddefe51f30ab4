"""Before any load: is the server there, what is it, how does it count?

`prepare` is all of it in order: `discovery`, `engine`, `model_list` and `replies` find out what answers, `server`
whether it has the model, `prompt_length` how it counts, `warm_up` sends the first request; `load_fields` and `unused`
say what will have no effect, `waiting` what one waits for. In the process that has the run folder, and in the probe.
"""
