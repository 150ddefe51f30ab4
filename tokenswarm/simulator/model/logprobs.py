"""Log probabilities of tokens: made up, the same for the same token, and in the real one's form."""

import json
from zlib import crc32

from tokenswarm.simulator.api import gojson
from tokenswarm.simulator.model.tokens import ENGLISH


def _one(text: str, logprob: float) -> str:
    data = ",".join(map(str, text.encode("utf-8", "replace")))
    return f'"token":{gojson.quote(text)},"logprob":{json.dumps(logprob)},"bytes":[{data}]'


def entry(text: str, top: int) -> str:
    """A token's entry as JSON, with its `top` likeliest alternatives, itself first; 0 = without that list."""
    number = crc32(text.encode("utf-8", "replace"))
    logprob = -(number % 3000 + 1) / 1000
    said = _one(text, logprob)
    if not top:
        return f"{{{said}}}"
    others = [_one(" " + ENGLISH[(number + step) % len(ENGLISH)], logprob - step / 4) for step in range(1, top)]
    return f'{{{said},"top_logprobs":[{",".join(f"{{{one}}}" for one in (said, *others))}]}}'
