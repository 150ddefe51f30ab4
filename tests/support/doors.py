"""Servers that say to each path what a test wants, and what a run learns of them before its load."""

import contextlib
import io
import json
import socket
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from options import parsed
from scripted import request, serving, whole

from tokenswarm.features import prepare
from tokenswarm.preflight.prepare import Prepared
from tokenswarm.settings.errors import UsageError
from tokenswarm.users.anthropic import AnthropicMessagesUser
from tokenswarm.users.ollama import OllamaChatUser, OllamaEmbedUser, OllamaGenerateUser
from tokenswarm.users.openai import OpenAIChatUser, OpenAICompletionsUser, OpenAIEmbeddingsUser, OpenAIResponsesUser

GENERATING = (OllamaChatUser, OllamaGenerateUser, OpenAIChatUser, OpenAICompletionsUser)
AGENTS = (OpenAIResponsesUser, AnthropicMessagesUser)
CLASSES = (*GENERATING, *AGENTS, OllamaEmbedUser, OpenAIEmbeddingsUser)
CHAT, COMPLETIONS, NATIVE = "/v1/chat/completions", "/v1/completions", "/api/chat"
JSON = "Content-Type: application/json\r\n"
Said = bytes | Callable[[bytes], bytes]


def said(body: object, status: str = "200 OK", more: str = "") -> bytes:
    """A whole JSON response."""
    return whole(json.dumps(body).encode(), status, JSON + more)


def page(title: str, status: str = "200 OK", more: str = "") -> bytes:
    """A whole HTML response."""
    body = f"<!doctype html>\n<html><head><title>{title}</title></head><body>x</body></html>"
    return whole(body.encode(), status, "Content-Type: text/html\r\n" + more)


def events(*frames: object) -> bytes:
    """A whole stream of events."""
    body = b"".join(b"data: %s\n\n" % json.dumps(frame).encode() for frame in frames) + b"data: [DONE]\n\n"
    return whole(body, "200 OK", "Content-Type: text/event-stream\r\n")


GOOD = events(
    {"choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": "stop"}]},
    {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}},
)
GOOD_TEXT = events({"choices": [{"index": 0, "text": "hi", "finish_reason": "stop"}]})
GOOD_NATIVE = said({"message": {"content": "hi"}, "done": True, "done_reason": "stop", "eval_count": 1})
ONE = said({"data": [{"id": "m"}]})
NOT_FOUND = said({"detail": "Not Found"}, "404 Not Found")


@dataclass
class Door:
    """A server that says to each path what it is told to, 404 to all others; `asked` are the requests, whole."""

    paths: Mapping[str, Said]
    otherwise: bytes = NOT_FOUND
    asked: list[bytes] = field(default_factory=list)

    def handle(self, sock: socket.socket) -> None:
        """One connection."""
        while one := request(sock):
            self.asked.append(one)
            path = one.split(b" ", 2)[1].decode()
            answer = self.paths.get(path, self.otherwise)
            sock.sendall(answer(one) if callable(answer) else answer)

    def bodies(self, path: str) -> list[dict[str, Any]]:
        """What was posted there."""
        posted = [one for one in self.asked if one.startswith(b"POST ") and one.split(b" ", 2)[1] == path.encode()]
        return [json.loads(one.partition(b"\r\n\r\n")[2]) for one in posted]


@dataclass
class Done:
    """What came of a preparation."""

    prepared: Prepared | None
    line: str
    options: Any
    err: str

    @property
    def findings(self) -> str:
        assert self.prepared
        return "\n".join(one["what"] for one in self.prepared.findings)


def attempt(door: Door, *arguments: str, host: str = "", path: str = "", named: tuple[str, ...] = ()) -> Done:
    """Prepares a run against a door: it may end with a line of a user's error, never otherwise.

    `path` is what follows its address in `--host`, `host` another one in which {port} is the door's.
    """
    with serving(door.handle) as port, tempfile.TemporaryDirectory() as run_dir:
        address = host.format(port=port) or f"http://127.0.0.1:{port}{path}"
        return prepared("--host", address, "--run-dir", run_dir, *arguments, named=named)


def prepared(*arguments: str, named: tuple[str, ...] = ()) -> Done:
    """All that a run with these options does before its load."""
    options = parsed("--idle-time", "0s", *arguments)  # nobody waits for an idle GPU's power
    with contextlib.redirect_stderr(io.StringIO()) as err:
        try:
            found, line = prepare(options, CLASSES if named else (*GENERATING, *AGENTS), list(named)), ""
        except UsageError as error:
            found, line = None, str(error)
    assert "\n" not in line
    return Done(found, line, options, err.getvalue())


def refused(*words: str, classes: tuple[type, ...] = CLASSES) -> str:
    """The one line with which a command line ends before any load: names of classes, then options.

    That it is all that is said, and the exit code 2: tests/run/test_bad_input.py.
    """
    named = list(takewhile(lambda word: not word.startswith("-"), words))
    with contextlib.redirect_stderr(io.StringIO()) as err:
        try:
            prepare(parsed(*words[len(named) :]), classes if named else (*GENERATING, *AGENTS), named)
            line = ""
        except UsageError as error:
            line = str(error)
        except SystemExit:  # of the parser
            line = err.getvalue().splitlines()[-1]
    assert line, f"nothing is wrong with {words}"
    assert "\n" not in line
    return line
