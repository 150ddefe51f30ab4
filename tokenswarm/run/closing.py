"""The end of a run in each process: workers hand their rows over, the master waits for them, the folder is closed."""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import gevent

from tokenswarm.metrics.validity import workers as attendance
from tokenswarm.metrics.validity.rules import make_finding
from tokenswarm.run import interrupt
from tokenswarm.run.cluster import Cluster
from tokenswarm.run.curve import strangers
from tokenswarm.run.handover import Spooling
from tokenswarm.run.publisher import AGAIN_S, Publisher
from tokenswarm.run.recorder import Recorder
from tokenswarm.run.slo_gate import Gate
from tokenswarm.transport.health import Health

FINISH = "tokenswarm_finish"
ROOT = Path(__file__).parents[2]  # where the package lies
WAIT_FOR_WORKERS_S, WAIT_FOR_LOST_S = 30.0, 5.0
BY_HAND, AT_ONCE_S = "ended by hand", 1.0
STDERR = 2  # its file descriptor
UNANSWERED = 1  # as Locust's own exit code where requests failed


class Closable(Protocol):
    """What the end of a run has of its `RunLifecycle`."""

    environment: Any
    options: Any
    cluster: Cluster
    publisher: Publisher
    spooling: Spooling
    health: Health | None
    recorder: Recorder | None
    gate: Gate | None
    ending: bool
    findings: list[dict[str, Any]]
    verdicts: dict[str, str]
    before_closing: list[Callable[[], object]]

    @property
    def asks(self) -> bool: ...

    def snapshot(self) -> dict[str, Any]: ...

    def unlike(self) -> list[dict[str, Any]]: ...


class Closing:
    """How the runs of one process end; the run itself is its `RunLifecycle`'s."""

    def __init__(self, lifecycle: Closable) -> None:
        self._lifecycle = lifecycle
        self._closing: gevent.Greenlet | None = None
        self._stopping: gevent.Greenlet | None = None
        self._ended_s = 0.0

    def on_finish(self, finished: Any, _: str) -> None:
        """The master ends the run (Locust's own quit message would come only after it has closed the folder)."""
        if self._lifecycle.publisher.run_id == finished["run"]:
            self._lifecycle.cluster.stop()
        else:  # had no part in it
            if self._lifecycle.health:  # but in one whose end it missed
                self._lifecycle.cluster.stop()
            self._lifecycle.publisher.reset(finished["run"])
        self._lifecycle.publisher.send_final()

    def on_test_stop(self, **_: Any) -> None:
        """The run ends in this process: hand over all rows, or wait for all and close the folder.

        In a greenlet of its own, since Locust may call this where one must not wait: in a user's greenlet that is about
        to be killed (its task called `runner.quit`, which must go on), or in the very one that takes in the workers'
        messages (when the last of them has quit, as on Ctrl-C, which they get too). Then `on_quitting` waits.
        """
        lifecycle = self._lifecycle
        if lifecycle.cluster.is_worker:
            self._closing = gevent.spawn(self._hand_over)
        elif lifecycle.recorder:
            lifecycle.ending = True
            self._ended_s = time.monotonic()
            self._closing = gevent.spawn(
                self._close_on_master if lifecycle.cluster.is_master else self._close_alone, lifecycle.recorder
            )
        if self._closing and lifecycle.cluster.may_wait:
            self._closing.join()

    def _hand_over(self) -> None:
        try:
            self._wait_for_the_cut()
            self._lifecycle.publisher.send_final()
        finally:
            self._stop_health()

    def _close_alone(self, recorder: Recorder) -> None:
        self._wait_for_the_cut()
        publisher = self._lifecycle.publisher
        if publisher.outbox.made > recorder.folder.rows:
            gevent.sleep(AGAIN_S)
            publisher.write_own()
        made = {"requests": recorder.folder.rows, "made": publisher.outbox.made}
        seen = {**self._lifecycle.snapshot(), **made, "ended": True}
        self._lifecycle.findings += attendance.findings([seen]) + _others([seen])
        self._stop_health()
        self._end_folder(recorder, [seen])

    def _wait_for_the_cut(self) -> None:
        """Requests that are being cut leave their rows in turn, a millisecond at a time."""
        waited_until_s = time.monotonic() + WAIT_FOR_WORKERS_S
        while self._lifecycle.health and self._lifecycle.health.in_flight and time.monotonic() < waited_until_s:
            gevent.sleep(0.01)

    def _stop_health(self) -> None:
        if self._lifecycle.health:
            self._lifecycle.health.stop()
            self._lifecycle.health = None

    def on_quitting(self, **_: Any) -> None:
        """The process ends, but first a worker hands over its rows, and the master closes its folder.

        Listeners of this event are called last one first, so this comes before Locust says goodbye to the master, which
        takes no more messages after the last worker's goodbye.
        """
        lifecycle, cluster = self._lifecycle, self._lifecycle.cluster
        interrupt.be_patient("handing over the last rows" if lifecycle.cluster.is_worker else "writing down the run")
        if lifecycle.cluster.is_worker and lifecycle.health:
            cluster.stop()
        elif lifecycle.recorder and not self._closing:
            # A signal: Locust chooses its exit code after this event, and would stop the run only then.
            if not self._stopping:
                self._say_ended_by_hand(_seconds_of(lifecycle.recorder))
                self._stopping = gevent.spawn(cluster.stop)
            # This event comes twice where the workers heard the signal, too, and the last of them has gone meanwhile.
            self._stopping.join(WAIT_FOR_WORKERS_S)
        if self._closing:
            self._closing.join()
        if self._lifecycle.cluster.is_worker:
            self._lifecycle.spooling.end()

    def _close_on_master(self, recorder: Recorder) -> None:
        after_s = _seconds_of(recorder)
        workers = self._lifecycle.publisher.workers_as_run_json(self._wait_for_workers(recorder))
        run_time_s = self._lifecycle.options.run_time
        # Where the signal went to all processes, the last worker may have said goodbye before this one heard of it.
        heard = any(at_s < self._ended_s + AT_ONCE_S for at_s in interrupt.heard_s)
        if heard and not (run_time_s and after_s > float(run_time_s) - AT_ONCE_S):
            self._say_ended_by_hand(after_s)
        self._lifecycle.findings += attendance.findings(workers) + strangers() + self._lifecycle.unlike()
        self._lifecycle.findings += _others(workers)
        self._end_folder(recorder, workers)

    def _say_ended_by_hand(self, after_s: float) -> None:
        """A finding: a signal ended the run, and when. Once."""
        findings, run_time_s = self._lifecycle.findings, self._lifecycle.options.run_time
        if any(found["rule"] == BY_HAND for found in findings):
            return
        of = f" of {float(run_time_s):g} s" if run_time_s else ""
        what = f"the run was ended by hand, after {after_s:.0f} s{of}"
        findings.append(
            make_finding(BY_HAND, "remark", what, "let it run to its end, if it was to be compared with another")
        )

    def _wait_for_workers(self, recorder: Recorder) -> set[str]:
        """Wait until all rows are here; give the workers of which they are not."""
        cluster, publisher = self._lifecycle.cluster, self._lifecycle.publisher
        # Who joins from now on has no part in the run.
        joined = {one["client"] for one in recorder.circumstances.get("attendance", ())} | _connected_ids(cluster)
        cluster.send(FINISH, {"run": publisher.run_id})
        began_s = time.monotonic()
        while True:
            connected = _connected_ids(cluster)
            missing = (joined | set(publisher.workers)) - publisher.finished
            # One that has said goodbye may have its last rows on the way; one that was killed has not.
            patience_s = WAIT_FOR_WORKERS_S + (self._lifecycle.environment.stop_timeout or 0)
            if not missing or time.monotonic() - began_s > (patience_s if missing & connected else WAIT_FOR_LOST_S):
                return missing
            gevent.sleep(0.05)

    def _end_folder(self, recorder: Recorder, workers: list[dict[str, Any]]) -> None:
        lifecycle = self._lifecycle
        # In greenlets of their own: whatever goes wrong in them, the folder is closed.
        gevent.joinall([gevent.spawn(look) for look in lifecycle.before_closing])
        lifecycle.recorder, lifecycle.publisher.sink, lifecycle.publisher.keep = None, None, None
        try:
            validity = recorder.end(workers, lifecycle.findings)
            path, why = recorder.folder.path, [f["what"] for f in validity["findings"] if f["level"] == "invalid"]
            lifecycle.verdicts[path.name] = ": ".join([validity["verdict"], *(["; ".join(why)] if why else [])])
            rows = recorder.folder.rows
            print(f"tokenswarm: {rows} request{'' if rows == 1 else 's'} in {path}", file=sys.stderr)
            print(f"tokenswarm: {lifecycle.verdicts[path.name]}", file=sys.stderr)
            if not validity.get("answered", 1) and (rows or lifecycle.asks):
                print("tokenswarm: no request was answered", file=sys.stderr)
                if lifecycle.environment.process_exit_code is None:
                    lifecycle.environment.process_exit_code = UNANSWERED
            if lifecycle.gate:
                slos = [f"{each.slo}: {each.state}" for each in lifecycle.gate.close(validity["verdict"])]
                lifecycle.verdicts[path.name] = "; ".join([lifecycle.verdicts[path.name], *slos])
            if found := recorder.circumstances.get("capacity"):
                lifecycle.verdicts[path.name] = f"{found['sentence']} {lifecycle.verdicts[path.name]}"
            if not lifecycle.options.no_report:
                # In a process of its own: pandas stays out of the one that measures, and an error in it harms no run.
                environment = {**os.environ, "PYTHONPATH": str(ROOT)}
                reporting = [
                    sys.executable,
                    "-P",
                    "-m",
                    "tokenswarm.reports",
                    str(path),
                    "--lang",
                    lifecycle.options.lang,
                ]
                print("tokenswarm: writing the report …", file=sys.stderr)
                # In a session of its own: a signal to this one's whole group, or from its terminal, does not cut it.
                out = STDERR if getattr(lifecycle.options, "json", False) else None  # --json is JSON alone
                subprocess.run(reporting, env=environment, check=False, start_new_session=True, stdout=out)
        except OSError as error:
            what = f"{recorder.folder.path} could not be closed: {error}; {recorder.folder.rows} rows are in it"
            print(f"tokenswarm: error: {what}", file=sys.stderr)
            lifecycle.environment.process_exit_code = 2
        finally:
            lifecycle.ending = False


def _others(workers: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A finding: requests of the locustfile that are not ours."""
    sent: Counter[str] = Counter()
    for each in workers:
        sent.update(each.get("others") or {})
    if not sent:
        return []
    named = ", ".join(f"{name} ({n:,})" for name, n in sent.most_common(5)) + (", …" if len(sent) > 5 else "")
    what = f"the run also sent {sent.total():,} requests of other users, which are in no figure here: {named}"
    return [make_finding("other requests", "remark", what, "see Locust's own statistics for them", sent.total())]


def _seconds_of(recorder: Recorder) -> float:
    return time.time() - float(recorder.circumstances["started_unix_s"])


def _connected_ids(cluster: Cluster) -> set[str]:
    return {worker.id for worker in cluster.workers() if not worker.missing}
