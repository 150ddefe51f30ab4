"""What is wanted: options, the target, models and their weights, secrets; a mistake is one line (`errors`).

`sections/` has the options, a row each (`option`), by the types of `option_types`; `options` puts them into Locust's
parser (`command_line`), `form` checks the web form, `settings` is what they come to, `redaction` keeps secrets out of
texts, `fingerprint` says whether all processes have the same code. Read in every process, checked before any load.
"""
