"""Where text leaves a process of Locust, and the secrets stay: terminal, log, exceptions, messages to the master.

Files and pages have their texts from here, or pass them through `tokenswarm.settings.redaction` where they are written.
"""

import logging
import os
import re
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tokenswarm.run.cluster import clean_messages
from tokenswarm.run.locust_stats import clean_errors
from tokenswarm.settings import secrets
from tokenswarm.settings.redaction import clean, learn, learn_header, learn_host, redact

_SECRET = re.compile(r"--(?!tls-|.*-file)[\w-]*(?:key|token(?!s)|secret|passw)", re.IGNORECASE)
OURS = "tokenswarm: "  # what a line of ours begins with
_FORMATTER = logging.Formatter()
before_text: list[Callable[[], object]] = []  # take away what is drawn where the text is to come


class _Redacting:
    """Stands before a stream of text."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        for take_away in before_text:
            take_away()
        self._stream.write(self._broken(redact(text)))
        return len(text)

    def _broken(self, text: str) -> str:
        """A long line of ours in lines of the terminal, broken between words; elsewhere it stays one."""
        if not text.startswith(OURS) or "\n" in text.rstrip("\n") or not self._stream.isatty():
            return text
        try:
            columns = os.get_terminal_size(self._stream.fileno()).columns
        except OSError:
            return text
        if not 20 <= columns < len(text):
            return text
        lines = textwrap.wrap(text, columns, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
        return "\n".join(lines) + ("\n" if text.endswith("\n") else "")

    def writelines(self, lines: Sequence[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def install(*_: Any, **__: Any) -> None:
    """Stand at all of them; once. As the options are being made, before anything is said of them."""
    streams: Any = sys
    if isinstance(sys.stderr, _Redacting):
        return
    streams.stdout, streams.stderr = _Redacting(sys.stdout), _Redacting(sys.stderr)
    learn_given(sys.argv, os.environ)
    logging.setLogRecordFactory(_redacting(logging.getLogRecordFactory()))
    clean_messages(clean, redact)
    clean_errors(redact)


def _redacting(make: Any) -> Any:
    def make_redacted(*args: Any, **kwargs: Any) -> Any:
        record = make(*args, **kwargs)
        try:
            record.msg, record.args = redact(record.getMessage()), None
        except (TypeError, ValueError, KeyError):
            return record  # its words do not fit together, which logging says itself
        if record.exc_info and record.exc_info[0]:
            record.exc_text = redact(_FORMATTER.formatException(record.exc_info))
            record.exc_info = None  # of which another handler, as that of Locust's --otel, would make its own text
        record.stack_info = record.stack_info and redact(record.stack_info)
        return record

    return make_redacted


def learn_given(argv: Sequence[str], environment: Mapping[str, str]) -> None:
    """Learn what is secret of a command line and an environment before they are read, also where they are wrong."""
    for word, following in zip(argv, [*argv[1:], ""], strict=True):
        option, equals, value = word.partition("=")
        value = value if equals else following
        if _SECRET.match(option) and not os.path.exists(value):
            learn(value)
        elif option.startswith("--head") and "header".startswith(option[2:]):
            learn_header(value)
        elif option.startswith("--ho") and "host".startswith(option[2:]):
            learn_host(value)
    for name in ("OPENAI_API_KEY", "TOKENSWARM_API_KEY", secrets.TOKEN):
        learn(environment.get(name, ""))
    learn_header(environment.get("TOKENSWARM_HEADER", ""))
    for name in ("LOCUST_HOST", "OLLAMA_HOST"):
        learn_host(environment.get(name, ""))
