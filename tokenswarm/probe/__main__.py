"""`tokenswarm probe`: read an LLM server from outside with a short burst: slots, limits, rates, cache, context."""

import json
import os
import sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any

from tokenswarm.payloads.field_check import misfit
from tokenswarm.preflight.discovery import FoundServer
from tokenswarm.preflight.server import Preflight
from tokenswarm.preflight.warm_up import Rehearsal
from tokenswarm.probe.questions import MAX_BURST, MAX_PARALLEL, Limits, probe
from tokenswarm.run import outlets
from tokenswarm.settings import open_files, options
from tokenswarm.settings import secrets as secret
from tokenswarm.settings.command_line import own_parser
from tokenswarm.settings.errors import UsageError
from tokenswarm.settings.models import models
from tokenswarm.settings.option_types import number
from tokenswarm.settings.redaction import clean
from tokenswarm.settings.settings import Settings, settings
from tokenswarm.settings.target import readings
from tokenswarm.users import request_fields as asking
from tokenswarm.users.ollama import OllamaGenerateUser
from tokenswarm.users.openai import OpenAIChatUser
from tokenswarm.wire.values import Api, Ask

# Those of a run's options that say where and whom to ask; the others keep their defaults.
SHARED = {
    *("--model", "--think", "--options", "--api-key", "--api-key-file", "--header", "--insecure", "--ca-cert"),
    *("--path", "--wait-ready"),
    *("--request-timeout", "--first-byte-timeout", "--connect-timeout"),
}


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0, or 2 with one line on stderr."""
    given = _parser().parse_args(arguments)
    try:
        into = _run_json(given.into) if given.into else None
        number = given.max_burst if given.intrusive else given.max_parallel
        open_files.allow(number, f"{number} requests at once")
        given.api_key = secret.api_key(given)
        checked = settings(given)
        preflight = Preflight(checked, readings(given.host, os.environ))
        server = preflight.server(given.model)
        for name, value in checked.overrides.get("", {}).items():
            if server.kind == "ollama" and (text := misfit("/api/generate", name, value, ollama=True)):
                raise UsageError(f"--options: {text}")
        limits = Limits(given.intrusive, given.max_parallel, given.max_burst)
        model = models(preflight.models(server, given.model))[0]
        for what in preflight.warnings:
            print(f"tokenswarm: warning: {what}", file=sys.stderr)
        user_class = OllamaGenerateUser if server.kind == "ollama" else OpenAIChatUser
        ask = replace(asking.ask_of(user_class, checked), model=model)
        found = probe(_at_its_address(preflight, server, user_class.api, ask, given.path), server, ask, limits)
        if into:
            store(found, into)
    except UsageError as error:
        print(f"tokenswarm: error: {error}", file=sys.stderr)
        return 2
    print(json.dumps(found, indent=2, ensure_ascii=False) if given.json else table(found))
    return 0


def _at_its_address(preflight: Preflight, server: FoundServer, api: Api, ask: Ask, path: str) -> Settings:
    """The settings with the server's address; where no list of models has told it, one request does."""
    if path:
        preflight.place(api, path)
    elif not server.listed:
        Rehearsal(preflight).warm_up(api, ask)
    return preflight.settings


def _parser() -> Any:
    about = (__doc__ or "").partition(": ")[2]
    parser = own_parser(
        prog="python -m tokenswarm.probe", description=about, add_env_var_help=False, allow_abbrev=False
    )
    parser.add_argument("-H", "--host", default=None, help="the server, as for a run; else OLLAMA_HOST")
    parser.set_defaults(run_time=None)
    options.add(_Shared(parser))

    def option(name: str, text: str, **details: Any) -> None:
        parser.add_argument(name, help=text, **details)

    option("--intrusive", "also unload the model and send what may be refused: queues, cold load", action="store_true")
    option("--max-parallel", "look for so many slots at most", type=_whole(1), default=MAX_PARALLEL)
    option("--max-burst", "with --intrusive: send so many at once at most", type=_whole(2), default=MAX_BURST)
    option("--into", "store the findings in the run.json of this run folder", type=Path, metavar="RUN_FOLDER")
    option("--json", "print the findings as JSON", action="store_true")
    return parser


def _whole(least: int) -> Any:
    return number(int, least, f"a whole number, {least} or more")


class _Shared:
    """Takes all options of a run, and passes on to the parser those that matter here."""

    def __init__(self, parser: Any) -> None:
        self._parser = parser

    def add_argument(self, name: str, **details: Any) -> Any:
        if name in SHARED:
            return self._parser.add_argument(name, **details)
        dest = name.removeprefix("--").replace("-", "_")
        self._parser.set_defaults(**{dest: details.get("default")})
        return Namespace(dest=dest)


def store(found: dict[str, Any], path: Path) -> None:
    """Put the findings into a run.json. Raises UsageError if it cannot be written."""
    new = path.with_name(".run.json.new")
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
        new.write_text(
            json.dumps({**run, "probe": clean(found)}, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        os.replace(new, path)
    except OSError as error:
        raise UsageError(f"--into {path.parent}: {error.strerror}; name a run folder that can be written to") from None


def _run_json(folder: Path) -> Path:
    """Its run.json, which must be one that has ended: a run that goes on would write over what is put into it."""
    path = folder / "run.json"
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or "it holds no JSON"
        raise UsageError(f"--into {folder}: run.json cannot be read ({why}); name a run folder") from None
    if not isinstance(run, dict) or run.get("state") == "running":
        raise UsageError(f"--into {folder}: this run has not ended; probe when it has")
    return path


def table(found: dict[str, Any]) -> str:
    """The findings for a terminal: what, how many, how it was found; then what it cost."""
    server = " ".join(str(found[name]) for name in ("kind", "version") if found[name])
    head = f"{found['model']} at {found['target']} ({server})"
    lines = [f"{figure['label']:<35}{value_text(figure):>22}   {_how(figure)}" for figure in found["figures"].values()]
    tokens = f"{found['prompt_tokens']:,} prompt and {found['output_tokens']:,} output tokens"
    lost = f" The server lost {found['lost']:,} of the requests." if found["lost"] else ""
    return "\n".join(
        [head, "", *lines, "", f"It took {found['seconds']:.1f} s, {found['requests']:,} requests, {tokens}.{lost}"]
    )


def value_text(figure: dict[str, Any]) -> str:
    """A figure's value with its unit, `?` if it is not known."""
    value = figure["value"]
    if value is None:
        return "?"
    if isinstance(value, bool):
        return "yes" if value else "no"
    number = f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"
    return f"{'≥ ' if figure['at_least'] else ''}{number} {figure['unit']}"


def _how(figure: dict[str, Any]) -> str:
    spread = figure["spread_percent"]
    exact = f", ± {spread:g} %" if spread is not None else ""
    return f"{figure['how']} (n={figure['n']}{exact})" if figure["n"] else figure["how"]


if __name__ == "__main__":
    outlets.install()
    sys.exit(main())
