"""Why answers end: which finish reasons name a failure, which an end as it should be, and which nobody knows.

OpenAI, Ollama, vLLM, SGLang, TGI, TensorRT-LLM, LMDeploy, llama.cpp and the providers behind gateways (Anthropic,
Bedrock, Cohere, DeepSeek, Gemini, MiniMax, Mistral, Moonshot, Zhipu) all have words of their own.
"""

import itertools
import re
from typing import Literal

Meaning = Literal["end", "failure", "unknown"]

# A reason is a failure if a word of it begins so: abort, aborted, engine_error, USER_CANCEL, modelUnloaded, …
_FAILURES = (
    "abort",
    "cancel",
    "corrupt",
    "crash",
    "deadline",
    "denied",
    "disconnect",
    "drop",
    "error",
    "evict",
    "except",
    "exhaust",
    "fail",
    "fault",
    "insufficient",
    "interrupt",
    "invalid",
    "kill",
    "lost",
    "malform",
    "memory",
    "missing",
    "overload",
    "panic",
    "preempt",
    "quota",
    "ratelimit",
    "reject",
    "shutdown",
    "shutting",
    "stall",
    "terminat",
    "throttl",
    "timedout",
    "timeout",
    "unavailable",
    "unexpected",
    "unload",
)
_WHOLE_FAILURES = ("err", "load", "oom", "rate")  # as a word of their own only: "load" is Ollama's for a model loaded
# Without anything but their letters. Filters and refusals are what the model, or its keeper, had to say.
_ENDS = frozenset(
    re.findall(
        "[a-z]+",
        "stop length toolcall toolcalls tooluse functioncall functioncalling contentfilter contentfiltered eos eostoken"
        " eosfound endturn endofturn endoftext stopsequence stopstring stopstringfound stopword stoptoken maxtokens"
        " maxoutputtokens maxnewtokens maxlength modellength contextlength contextlengthreached limit"
        " modelcontextwindowexceeded maxpredictedtokensreached complete completed finish finished done success refusal"
        " safety recitation blocklist prohibitedcontent spii imagesafety sensitive guardrailintervened repetition"
        " pauseturn",
    )
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def interpret_reason(finish_reason: str) -> Meaning:
    """What a finish reason says of its answer."""
    words = [word.lower() for word in _WORD.findall(finish_reason)]
    letters = "".join(words)
    if letters in _ENDS:
        return "end"
    pairs = [one + other for one, other in itertools.pairwise(words)]  # time_out, RATE_LIMIT, shut-down
    if any(word.startswith(_FAILURES) for word in (*words, *pairs)) or any(word in _WHOLE_FAILURES for word in words):
        return "failure"
    return "unknown"
