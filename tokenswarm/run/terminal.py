"""The terminal of a headless run: one live block, or a plain line now and then; Locust's own tables on demand.

The loop that measures never waits for a terminal: what is drawn is written by a thread, and left out while the last one
has not been taken.
"""

import logging
import os
import shutil
import sys
from typing import TYPE_CHECKING, Any

import gevent

from tokenswarm.run import outlets
from tokenswarm.run.locust_stats import print_tables_by
from tokenswarm.run.progress import progress
from tokenswarm.run.screen import block, line
from tokenswarm.settings.redaction import redact
from tokenswarm.users.base import LLMUser

if TYPE_CHECKING:
    from tokenswarm.run.lifecycle import RunLifecycle

DRAW_S, PLAIN_S = 0.5, 10.0


class Terminal:
    """Of the process that has the run folder, where it has no web UI."""

    def __init__(self, lifecycle: "RunLifecycle") -> None:
        self._lifecycle, options = lifecycle, lifecycle.options
        self._shown = bool(getattr(options, "headless", False)) and not lifecycle.cluster.is_worker
        self._live = not options.plain and sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._writing: Any = None
        self._lines = 0  # of the block that stands there

    def listen(self) -> None:
        """Connect to Locust's events, and keep its tables off the screen."""
        options = self._lifecycle.options
        if not self._shown:
            if self._live and getattr(options, "processes", None):  # a worker on the master's terminal
                self._lifecycle.environment.events.test_stop.add_listener(lambda **_: _hush())
            return
        self._lifecycle.environment.events.test_start.add_listener(self._on_test_start)
        if not options.locust_tables:
            options.only_summary = True
            print_tables_by(self._only_for_others)

    def _only_for_others(self, table: Any) -> Any:
        """Locust's tables at the end: only where there are classes of whom our summary does not tell."""

        def show_for_others(*arguments: Any, **named: Any) -> None:
            if not all(issubclass(each, LLMUser) for each in self._lifecycle.environment.user_classes):
                table(*arguments, **named)

        return show_for_others

    def _on_test_start(self, **_: Any) -> None:
        gevent.spawn(self._draw if self._live else self._tell, self._lifecycle.recorder)

    def _tell(self, recorder: Any) -> None:
        """A line every ten seconds."""
        while True:
            gevent.sleep(PLAIN_S)
            if self._lifecycle.recorder is not recorder:
                return
            said = line(progress(self._lifecycle), self._lifecycle.live, self._lifecycle.options.lang)
            print(f"tokenswarm: {said}", file=sys.stderr)

    def _draw(self, recorder: Any) -> None:
        """The block, twice a second; whatever else is printed comes above it."""
        outlets.before_text[:] = [self.erase]
        try:
            while self._lifecycle.recorder is recorder:
                if self._writing is None or self._writing.ready():
                    columns = max(20, shutil.get_terminal_size().columns - 1)
                    lines = block(
                        progress(self._lifecycle), self._lifecycle.live, columns, self._lifecycle.options.lang
                    )
                    drawn = "".join([self._up(), *(f"{each}\x1b[K\n" for each in lines), "\x1b[J"])
                    self._lines = len(lines)
                    data = redact(drawn).encode(errors="replace")
                    self._writing = gevent.get_hub().threadpool.spawn(os.write, sys.stderr.fileno(), data)
                gevent.sleep(DRAW_S)
        finally:
            self.erase()
            outlets.before_text.clear()
            _hush()

    def _up(self) -> str:
        """To where the block begins."""
        return f"\r\x1b[{self._lines}A" if self._lines else "\r"

    def erase(self) -> None:
        """Take the block away: other text follows."""
        if self._lines:
            up, self._lines = self._up(), 0
            os.write(sys.stderr.fileno(), f"{up}\x1b[J".encode())


def _hush() -> None:
    """Let the summary be the last on the screen: how all processes shut down comes after it, a line each and more."""
    logging.getLogger("locust").setLevel(logging.WARNING)
