"""`--requests`, `--each-prompt-once`: a closed loop that ends when so many have been answered, over all workers."""

from typing import TYPE_CHECKING, Any

import gevent

from tokenswarm.folder.row import Row
from tokenswarm.load.tickets import Desk, OneEach, Stock
from tokenswarm.run.open_loop import end_when_answered
from tokenswarm.settings.errors import UsageError
from tokenswarm.users.context import RunContext
from tokenswarm.users.waiting import is_stopping

if TYPE_CHECKING:
    from tokenswarm.run.lifecycle import RunLifecycle

WANT, DEALT = "tokenswarm_want", "tokenswarm_dealt"
LOOK_S = 0.25


def check(options: Any) -> None:
    """Do the options go together? Raises UsageError."""
    if options.find_capacity and (options.requests or options.each_prompt_once):
        raise UsageError("--find-capacity sends as many requests as it needs; leave --requests and the like out")
    if not options.each_prompt_once:
        return
    for name, given in (("--arrivals", options.arrivals), ("--trace", options.trace)):
        if given:
            raise UsageError(f"--each-prompt-once is for a closed loop; give --users in the place of {name}")
    if options.prompt_tokens.strip():
        raise UsageError("--each-prompt-once and --prompt-tokens, which makes every prompt anew; give --requests")
    if options.batch_size.strip() not in ("", "1"):
        raise UsageError("--each-prompt-once sends each prompt alone; leave --batch-size out")


class Counted:
    """One process's part in it."""

    def __init__(self, lifecycle: "RunLifecycle") -> None:
        self._lifecycle, self._cluster = lifecycle, lifecycle.cluster
        self._environment = lifecycle.environment
        self._desk: Desk | None = None
        self._stock: Stock | None = None
        self._wants: dict[str, int] = {}
        self._once = False
        self._busy: set[str] = set()  # workers that have had users
        self._looking: gevent.Greenlet | None = None

    def listen(self) -> None:
        """Connect to Locust's events; `RunLifecycle` must have heard of them first."""
        events = self._environment.events
        events.test_start.add_listener(self._on_test_start)
        events.test_stopping.add_listener(self._on_test_stopping)
        if self._cluster.is_worker:
            self._cluster.on(DEALT, self._on_dealt)
        if self._cluster.is_master:
            self._cluster.on(WANT, self._on_want)

    def _on_test_start(self, **_: Any) -> None:
        options = self._environment.parsed_options
        self._desk = self._stock = None
        if options.arrivals or options.trace or not (options.requests or options.each_prompt_once):
            return
        self._wants, self._once, self._busy = {}, options.each_prompt_once, set()
        if not self._cluster.is_worker:
            self._open_desk(options)
        if not self._cluster.is_master:
            run_context: RunContext = self._environment.tokenswarm
            self._stock = Stock(self._ask)
            if self._once:
                run_context.prompts_once = self._stock
            else:
                run_context.pacer = OneEach(self._stock, is_stopping)

    def _open_desk(self, options: Any) -> None:
        prepared = self._lifecycle.preparation.prepared
        if self._once and prepared and prepared.mix:
            mix = prepared.mix
            total = min(len(mix.prompts), options.requests or len(mix.prompts))
            self._desk = Desk(total, lambda ticket: mix.nth(ticket).id)
        else:
            self._desk = Desk(options.requests)
        self._lifecycle.watch = self._take
        if self._cluster.is_master:
            self._looking = gevent.spawn(self._look)

    def _on_test_stopping(self, **_: Any) -> None:
        if self._stock:
            self._stock.close()
        if self._looking and self._looking is not gevent.getcurrent():
            self._looking.kill(block=False)
        self._looking = None

    def _ask(self, up_to: int) -> None:
        if self._cluster.is_worker:
            self._cluster.send(WANT, up_to)
        elif self._desk and self._stock:
            self._stock.add(self._desk.deal("", up_to, 1))

    def _on_dealt(self, dealt: Any, _: str) -> None:
        if self._stock:
            self._stock.add(dealt)

    def _on_want(self, up_to: Any, worker: str) -> None:
        self._wants[worker] = up_to
        self._deal(worker)

    def _deal(self, worker: str) -> None:
        if self._desk and worker in self._wants:
            there = sum(not one.missing for one in self._cluster.workers())
            self._cluster.send(DEALT, self._desk.deal(worker, self._wants[worker], max(1, there)), worker)

    def _look(self) -> None:
        """What workers had that are gone is dealt to those that wait."""
        while True:
            gevent.sleep(LOOK_S)
            here = [one for one in self._cluster.workers() if not one.missing]
            self._busy |= {one.id for one in here if one.classes}
            there = {one.id for one in here if one.classes or one.id not in self._busy}
            gone = [
                worker for worker in self._wants if worker not in there and self._desk and self._desk.forget(worker)
            ]
            if gone:
                for worker in there:
                    self._deal(worker)

    def _take(self, rows: list[Row]) -> None:
        """Rows came: requests that have ended, and with the last turn their conversations."""
        if not self._desk or self._desk.over:
            return
        clients = {self._cluster.number_of(worker): worker for worker in self._wants} if self._wants else {0: ""}
        for row in rows:
            if not self._once:
                self._desk.end(clients.get(int(row["worker"]), ""))
            elif row["outcome"] != "ok" or not row["turns_left"]:
                self._desk.end(clients.get(int(row["worker"]), ""), str(row["prompt_id"]))
        if self._desk.over:
            gevent.spawn(end_when_answered, self._environment, self._cluster)
