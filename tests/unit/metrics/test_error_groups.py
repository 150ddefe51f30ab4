"""Errors by their kind: what differs from one to the next goes, what tells kinds apart stays, and there is an end."""

import pickle
import random
import secrets
import string
import time
import uuid
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tokenswarm.metrics.error_groups import MOST_GROUPS, READ_CHARACTERS, SHOWN_CHARACTERS, ErrorGroups, mask

# As servers and proxies are known to say it; what is left is what a reader would want to tell apart.
KINDS = {
    "The server had an error. (Please include the request ID req_8a7f3b2c1d in your message.)": (
        "The server had an error. (Please include the request ID req_# in your message.)"
    ),
    "HTTP 429 Rate limit reached in organization org-AbC123xYz: Limit 30000, Used 29800. Please try again in 1m3.5s.": (
        "HTTP 429 Rate limit reached in organization org-#: Limit #, Used #. Please try again in #."
    ),
    "This model's maximum context length is 16384 tokens. However, you requested 122946 tokens (112946 in all)": (
        "This model's maximum context length is # tokens. However, you requested # tokens (# in all)"
    ),
    "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has 512.00 MiB free.": (
        "CUDA out of memory. Tried to allocate #. GPU # has # free."
    ),
    "HTTP 404 model 'tokenswarm-20261127T132039Z-run-0-50' not found": "HTTP 404 model 'tokenswarm-#' not found",
    "HTTP 404 model 'qwen3:8b' not found": "HTTP 404 model 'qwen3:8b' not found",
    "request (1010 tokens) exceeds the available context size (256 tokens), try increasing it": (
        "request (# tokens) exceeds the available context size (# tokens), try increasing it"
    ),
    "read tcp 127.0.0.1:41234->127.0.0.1:8080: read: connection reset by peer": (
        "read tcp #: read: connection reset by peer"
    ),
    'HTTP 400 invalid prompt: "Why is the sky blue and not green?" at position 12': (
        'HTTP 400 invalid prompt: "…" at position #'
    ),
    'invalid prompt: "Why is the sky blue and not gr': 'invalid prompt: "…',
    "提示词“为什么天空是蓝色的？”太长，最多4096个token": "提示词“…”太长，最多#个token",
    "[{'loc': ('body', 'x'), 'msg': 'Input should be a valid string', 'input': 'Why is the sky blue?'}]": (
        "[{'loc': ('body', 'x'), 'msg': 'Input should be a valid string', 'input': '…'}]"
    ),
    '{"error":{"code":400,"message":"the prompt is far too long","n_ctx":256}}': (
        '{"error":{"code":400,"message":"the prompt is far too long","n_ctx":#}}'
    ),
    "2026-11-27T13:20:39.123Z worker-7 slot 3: aborted after 800ms": "# worker-# slot #: aborted after #",
    "HTTP 524 error code: 524 Ray ID: 8a1b2c3d4e5f6789-FRA": "HTTP 524 error code: 524 Ray ID: #",
    "no chunk within 30 s": "no chunk within #",
    "exit status 137, errno 111": "exit status 137, errno 111",
    'option "temperature" must be of type float32': 'option "temperature" must be of type float32',
    "OutOfMemoryError on gpu3 at 0x7f3a2b1c": "OutOfMemoryError on gpu# at #",
    "the file-not-found error_code user_not_found": "the file-not-found error_code user_not_found",
    "the body ended without [DONE] and a finish reason": "the body ended without [DONE] and a finish reason",
    "": "",
}


@pytest.mark.parametrize(("text", "left"), KINDS.items())
def test_what_differs_goes_and_what_tells_kinds_apart_stays(text: str, left: str) -> None:
    assert mask(text, "qwen3:8b") == left


def drawn(letters: str, length: int) -> str:
    return "".join(random.choices(letters, k=length))


LOWER, ALL = string.ascii_lowercase + string.digits, string.ascii_letters + string.digits
IDS: dict[str, Callable[[], str]] = {
    "uuid": lambda: str(uuid.uuid4()),
    "hex of 4": lambda: secrets.token_hex(2),
    "hex of 8": lambda: secrets.token_hex(4),
    "hex of 32": lambda: uuid.uuid4().hex,
    "url-safe": lambda: secrets.token_urlsafe(16),
    "number": lambda: str(random.randrange(10 ** random.randrange(1, 12))),
    "signed": lambda: str(random.randrange(-50, 50)),
    "float": lambda: f"{random.expovariate(1):.6f}",
    "base 36": lambda: drawn(LOWER, 8),
    "base 62": lambda: drawn(ALL, 8),
    "nano": lambda: drawn(ALL + "_-", 21),
    "req_": lambda: f"req_{drawn(ALL, 10)}",
    "chatcmpl-": lambda: f"chatcmpl-{drawn(ALL, 29)}",
    "gen-": lambda: f"gen-{random.randrange(10**9, 2 * 10**9)}-{drawn(ALL, 20)}",
    "ulid": lambda: drawn(string.ascii_uppercase + string.digits, 26),
    "trace": lambda: f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01",
    "pointer": lambda: hex(random.getrandbits(48)),
    "duration": lambda: random.choice(["12ms", "1.5s", "59.25s", "1m3s", "2h", "7 seconds", "0.1 ms"]),
    "size": lambda: f"{random.random() * 100:.2f} {random.choice(['MiB', 'GiB', 'KB', 'bytes'])}",
    "iso time": lambda: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(random.randrange(2**31))),
    "http time": lambda: time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(random.randrange(2**31))),
    "log time": lambda: time.strftime("[%d/%b/%Y:%H:%M:%S +0000]", time.gmtime(random.randrange(2**31))),
    "address": lambda: f"10.0.{random.randrange(256)}.1:{random.randrange(65536)}",
    "ipv6": lambda: ":".join(f"{random.getrandbits(16):x}" for _ in range(8)),
    "list": lambda: str([random.randrange(999) for _ in range(random.randrange(1, 6))]),
    "quoted": lambda: '"' + " ".join(drawn(string.ascii_lowercase, 5) for _ in range(random.randrange(3, 9))) + '"',
}


@pytest.mark.parametrize("kind", IDS)
@pytest.mark.parametrize(
    "text", ["HTTP 500 request {} failed: overloaded", "quota of id={} is used up", "internal error ({})"]
)
def test_with_an_id_in_each_they_are_one_group(text: str, kind: str) -> None:
    random.seed(kind)
    groups = ErrorGroups()
    found = Counter(groups.of("http_error", text.format(IDS[kind]())) for _ in range(500))
    # What looks like a word may come before the first that does not.
    assert len(found) <= 2, found
    assert found.most_common(1)[0][1] >= 499


def test_ids_that_look_like_words_are_one_group_after_the_first_few() -> None:
    random.seed(1)
    groups = ErrorGroups()
    texts = [f"request {drawn(string.ascii_lowercase, 6)} failed: overloaded" for _ in range(1000)]
    found = Counter(groups.of("server_error", text) for text in texts)
    assert len(found) == 6
    assert found["server_error: request … failed: overloaded"] == 995
    assert groups.of("server_error", texts[0]) == f"server_error: {texts[0]}"


def test_the_status_keeps_kinds_apart() -> None:
    groups = ErrorGroups()
    codes = (400, 401, 403, 404, 408, 429, 500, 502, 503, 504, 524)
    found = {groups.of("http_error", f"HTTP {code} the server said no to 17") for code in codes}
    assert len(found) == len(codes)
    assert groups.of("http_error", "HTTP 502 the server said no to 18") in found


def test_groups_have_an_end() -> None:
    random.seed(2)
    groups = ErrorGroups()
    texts = [" ".join(drawn(string.ascii_lowercase, 4) for _ in range(9)) for _ in range(2000)]
    found = Counter(groups.of("server_error", text) for text in texts)
    assert len(found) == MOST_GROUPS + 1
    assert found["server_error: other errors"] == 2000 - MOST_GROUPS


def test_with_an_id_in_each_memory_stays_flat() -> None:
    groups, sizes = ErrorGroups(), list[int]()
    for _ in range(2):
        for _ in range(4000):
            groups.of("server_error", f"request {uuid.uuid4()} failed in {secrets.token_hex(4)}: overloaded")
        sizes.append(len(pickle.dumps(vars(groups))))
    assert sizes[0] < 3000
    assert sizes[1] < sizes[0] + 1000  # a few words more that an id may look like


@given(st.text(max_size=400), st.text(max_size=20))
@example("“" * 400, "")
@example("1," * 200, "1")
@example("\0#…", "#")
def test_any_text_has_a_kind(text: str, model: str) -> None:
    said = mask(text, model)
    assert len(said) <= SHOWN_CHARACTERS
    assert mask(text + "x" * READ_CHARACTERS, model) == mask(text + "x" * (READ_CHARACTERS + 9), model)
    groups = ErrorGroups()
    assert groups.of("http_error", text, model) == groups.of("http_error", text, model)
