"""SLOs of a run: read before any load, watched while it goes on, and its exit code at the end."""

import sys
from typing import Any

import gevent

from tokenswarm.metrics.slo.judge import SloJudge, SloResult
from tokenswarm.metrics.slo.junit import say
from tokenswarm.metrics.slo.language import Slo, SloError, several
from tokenswarm.run.cluster import Cluster
from tokenswarm.settings.errors import UsageError

CROSSED = 99  # k6's exit code for a crossed threshold
UNBELIEVED = 3  # SLOs judged on figures that may not be believed


def slos(text: str) -> tuple[Slo, ...]:
    """The SLOs of `--slo`, parted by semicolons or lines. Raises UsageError."""
    try:
        return several(text)
    except SloError as error:
        raise UsageError(f"--slo: {error}") from None


class Gate:
    """Watches the rows of one run; with `abort` it ends the run once an SLO is as good as crossed."""

    def __init__(self, environment: Any, cluster: Cluster, text: str, abort: bool) -> None:
        self._environment, self._cluster, self._abort = environment, cluster, abort
        self.judge = SloJudge(slos(text))
        self._given_up = False

    def look(self) -> None:
        """Rows came: is there still any hope?"""
        if self._abort and (crossed := self.judge.surely_crossed()):
            self._abort, self._given_up = False, True
            print(f"tokenswarm: ending the run: {'; '.join(crossed)}", file=sys.stderr)
            # In a greenlet of its own: this one may be a user's, which that would kill in the middle.
            gevent.spawn(self._cluster.end)

    def close(self, verdict: str) -> list[SloResult]:
        """The run is over: say how it went; a run that does not meet its SLOs ends with exit code 99.

        One whose verdict is INVALID ends with 3, however they were judged, unless `--invalid-ok` says otherwise. (That
        an SLO was surely crossed holds of the few requests of a run that ended for it.)
        """
        judged = self.judge.judge_all()
        for each in judged:
            print(f"tokenswarm: {say(each)}", file=sys.stderr)
        if judged and verdict == "INVALID" and not self._given_up and not self._environment.parsed_options.invalid_ok:
            print(
                "tokenswarm: SLOs of figures that may not be believed: exit code 3 (see --invalid-ok)", file=sys.stderr
            )
            self._environment.process_exit_code = UNBELIEVED
        elif any(each.state != "met" for each in judged):
            self._environment.process_exit_code = CROSSED
        return judged
