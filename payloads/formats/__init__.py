"""Files of prompts as people have them: which format it is (`detect`), and one reader a format.

`unpack` gives plain bytes, `spans` and `records` say where one record ends and the next begins; `own`, `messages`,
`turns`, `bodies` and `agents` make Prompts of them, with `images`, `tools` and `lengths`. In every process, before
load.
"""
