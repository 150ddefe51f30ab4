"""Before a run: options and form checked, the server asked, classes and shape chosen."""

import os
from collections.abc import Collection, Sequence
from copy import copy
from typing import Any

import gevent

from tokenswarm.preflight.model_list import is_pattern
from tokenswarm.preflight.prepare import Prepared
from tokenswarm.preflight.server import Preflight
from tokenswarm.run.cluster import Cluster
from tokenswarm.run.feature import Feature, ready
from tokenswarm.run.locust_options import select_tagged
from tokenswarm.run.origin import Own, home, keep_at_home
from tokenswarm.run.stages import shape
from tokenswarm.run.worker_token import check_key
from tokenswarm.settings import form, open_files
from tokenswarm.settings import secrets as secret
from tokenswarm.settings.errors import UsageError
from tokenswarm.settings.models import spell
from tokenswarm.settings.options import OPTIONS, OURS
from tokenswarm.settings.redaction import learn, learn_options, redact
from tokenswarm.settings.settings import settings
from tokenswarm.settings.target import readings
from tokenswarm.settings.weights import weigh

CHOSEN = ("host", "layout", "model", "api_key", "header", "scale", "payload_places")
REACHED_BY = ("connect_timeout", "ca_cert", "insecure", "api_key_file", "header")
LIST_S, MOST_LISTED = 10.0, 1000


class Preparation:
    """What the next run of this process will be; `prepared`, `found` and `findings` are what was learnt for it."""

    def __init__(self, environment: Any, cluster: Cluster, features: Sequence[Feature]) -> None:
        self._environment, self._cluster, self._features = environment, cluster, features
        self._options = options = environment.parsed_options
        self._classes, self._own_shape = tuple(environment.user_classes), environment.shape_class
        learn_options(options)
        self._hosts = {c.__name__: c.host for c in self._classes if getattr(c, "host", None)}
        if not options.host and len({*self._hosts.values()}) == 1:
            options.host = next(iter(self._hosts.values()))
        self._own = Own(options.host, secret.api_key(options), options.header)
        self._home = ""  # as the page shows it after a run
        learn(self._own.api_key)
        self._own_weights: dict[Any, float] = {}
        self._given = {name: getattr(options, name) for name in OURS}
        self._chosen: dict[str, str | None] = {}
        self.prepared: Prepared | None = None
        self.found: dict[str, Any] = {}  # by the features' checks
        self.findings: list[dict[str, Any]] = []

    def prepare(self, classes_named: list[str] | None = None) -> None:
        """Check the options, ask the server, choose the classes. Raises UsageError; no load was sent then."""
        options = self._options
        named = classes_named or options.user_classes or []
        classes = select_tagged(options, self._classes, named)
        self._check_hosts(named)
        withheld = keep_at_home(options, self._own)
        check_key(self._cluster, options)
        prepared, self.found = ready(self._features, options, classes, named)
        self.prepared = prepared
        # Without it a timer that is set now, as Locust's of --run-time, would count from before what took long there.
        gevent.get_hub().loop.update_now()
        self._environment.user_classes = list(prepared.classes)
        self._environment.shape_class = shape(self._environment, self._cluster, self._own_shape)
        self.weigh(prepared.classes)
        self._environment.host = options.host
        if home(options.host, self._own):
            self._home = options.host
        # What the options become here must reach the workers, whatever a form puts over them.
        self._chosen = {name: getattr(options, name) for name in CHOSEN}
        if options.stages:
            self._chosen["num_users"] = None
        self.findings = [*prepared.findings, *withheld]

    def _check_hosts(self, named: Collection[str]) -> None:
        """A run has one server: that of --host, else that of its classes."""
        hosts = {name: host for name, host in self._hosts.items() if not named or name in named}
        if not self._options.host and len({*hosts.values()}) == 1:
            self._options.host = next(iter(hosts.values()))
        elif not self._options.host and hosts:
            which = ", ".join(f"{name}: {redact(str(host))}" for name, host in sorted(hosts.items()))
            raise UsageError(f"the classes have several hosts ({which}); name those of one, or give --host for all")

    def prepare_from_form(self, sent: Any, shown: Collection[str]) -> dict[str, str]:
        """The same for a run that begins in the web form; what Locust is to change in it. Raises UsageError.

        `shown` are the options that the form has.
        """
        numbers = form.check(sent, shown)
        if self._cluster.is_running:
            return numbers
        options, given = self._options, {**self._given, "host": self._own.host}
        fields = form.as_given(dict(sent.items()) | numbers, given, self._home)
        # What the form leaves out is not that of the run before; nor is a key that was given for another host.
        vars(options).update({**given, "api_key": ""})
        options.run_time = fields.get("run_time") or None
        options.num_users, options.max_in_flight = None, 0  # the form's own number goes to Locust
        form.fill(options, fields)
        form.check_files(options, self._given)
        changes = numbers
        for feature in self._features:
            changes = {**changes, **feature.form(options, sent)}
        picked = sent.getlist("user_classes")
        # The class picker begins with all of them ticked, which names none.
        self.prepare(picked if len(picked) < len(self._classes) else None)
        users = fields.get("user_count") or ""
        open_files.check_users(options, int(users) if users.isdecimal() else 1)
        return changes

    def model_names(self, host: str, api_key: str) -> list[str]:
        """The models that the server of a form has, as `--model` is written. Raises UsageError.

        What Locust was started with goes to its own server only, as at a start.
        """
        if self._cluster.is_running:
            raise UsageError("a run goes on; the list of models is for the next one")
        options, given = copy(self._options), {**self._given, "host": self._own.host}
        vars(options).update({one.dest: one.initial for one in OPTIONS})
        vars(options).update({name: given[name] for name in ("host", *REACHED_BY)}, run_time=None)
        form.fill(options, form.as_given({"host": host, "api_key": api_key}, given, self._home))
        keep_at_home(options, self._own)
        asked = Preflight(settings(options), readings(options.host, os.environ))
        with gevent.Timeout(LIST_S, UsageError(f"{asked.settings.target.url} gave no list within {LIST_S:g} s")):
            names = asked.server().models
        return [spell(name) for name in names if not is_pattern(name)][:MOST_LISTED]

    def restore(self) -> None:
        """A run begins: between the check of a web form and here, Locust has put what it held over what was chosen."""
        vars(self._options).update(self._chosen)
        self._environment.host = self._options.host

    def weigh(self, classes: Sequence[Any] = ()) -> None:
        """Give these classes (else all) the weights of `--weights`."""
        weigh(classes or self._classes, self._options.weights, self._own_weights)
