"""The web form: it sets what it shows and nothing else, and names only those files that it may."""

from argparse import ArgumentTypeError
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from tokenswarm.payloads.corpus import BUILT_IN, names
from tokenswarm.settings import options as checks
from tokenswarm.settings.errors import UsageError
from tokenswarm.settings.redaction import redact

# Fields of Locust's own; the second are those of the form by which a run that goes on is changed.
LOCUSTS = frozenset(("user_count", "spawn_rate", "run_time", "host", "profile", "user_classes", "shape_class"))
EDITED = frozenset(("user_count", "spawn_rate", "user_classes"))
OF_A_CLASS = frozenset(("user_class_name", "host", "weight", "fixed_count", "tasks"))


def check(form: Any, shown: Collection[str]) -> dict[str, str]:
    """Check the fields before Locust converts them, which would answer with a bare 500. Raises UsageError.

    Gives the numbers in it as plain ones, which Locust can read: 2 for a speed of 2x. `shown` are the options that the
    page shows; Locust would set any by its name.
    """
    if unknown := sorted(set(form) - LOCUSTS - set(shown)):
        raise UsageError(f"the form has no field {', '.join(unknown)[:200]}; it belongs to the command line")
    numbers = {}
    for name, check_one in checks.CHECKED.items():
        if name in form:
            try:
                value = check_one(form[name])
            except ArgumentTypeError as error:
                raise UsageError(f"--{name.replace('_', '-')}: {error}") from None
            if isinstance(value, (int, float)):
                numbers[name] = str(value)
    return numbers


def as_given(fields: Mapping[str, str], given: Mapping[str, Any], home: str) -> dict[str, str]:
    """The fields, those as they were given that the page showed without their secrets; for the own server alone.

    `home` is its address as the page shows it after a run.
    """
    if "host" in fields and fields["host"] not in (home, redact(given["host"] or "")):
        return dict(fields)
    told = {name: text for name, text in given.items() if isinstance(text, str)}
    return {
        name: told[name] if name in told and value == redact(told[name]) else value
        for name, value in fields.items()
        if name != "host"
    }


def fill(options: Any, fields: Mapping[str, str]) -> None:
    """Set our options, and the host, to what the fields hold."""
    for name, value in fields.items():
        if name in checks.OURS or name == "host":
            current = getattr(options, name)
            kind = str if current is None else type(current)
            setattr(options, name, value == "true" if kind is bool else kind(value))


def find_changed(fields: Mapping[str, str], started: Mapping[str, str]) -> list[str]:
    """Our options of which the form holds something else than when the run was started by it."""
    return sorted(name for name in checks.OURS & set(fields) & set(started) if fields[name] != started[name])


def check_files(options: Any, given: Mapping[str, Any]) -> None:
    """Raise UsageError where the options name a file that nobody has said the form may name.

    It may name what the command line did (`given`), and regular files of the folder of `--files`, also by its links.
    What is elsewhere gets one answer, whether there is such a file or not.
    """
    known = {"payloads": {*BUILT_IN, *names(given["payloads"])}, "trace": {given["trace"]}}
    known["system-prompt"] = {_file_of(given["system_prompt"])}
    asked = {"payloads": names(options.payloads), "trace": [options.trace]}
    asked["system-prompt"] = [_file_of(options.system_prompt)]
    for option, named in asked.items():
        for name in filter(None, named):
            if name not in known[option] and not _inside(name, options.files):
                built_in = f"the built-in corpora ({', '.join(BUILT_IN)}), " if option == "payloads" else ""
                files = f"a file in {options.files} (--files)" if options.files else "a file in the folder of --files"
                what = f"--{option} ▸{name[:200]}◂: here it can be {built_in}what Locust was started with, or {files}"
                raise UsageError(what)


def _file_of(text: str) -> str:
    """The file that `--system-prompt` names, if it does."""
    return text[1:] if text.startswith("@") else ""


def _inside(name: str, folder: str) -> bool:
    try:
        path = Path(name).resolve()
        return bool(folder) and path.is_relative_to(Path(folder).resolve()) and (path.is_file() or not path.exists())
    except (OSError, ValueError, RuntimeError):  # a NUL, links in a circle
        return False


def check_class(sent: Any, classes: Collection[str]) -> None:
    """Raise UsageError on what the page's table of User classes does not hold; Locust would set any attribute."""
    if not isinstance(sent, dict) or sent.get("user_class_name") not in classes:
        raise UsageError("there is no such User class in the class picker (--class-picker)")
    if unknown := sorted(map(str, set(sent) - OF_A_CLASS)):
        raise UsageError(f"a User class has no field {', '.join(unknown)[:200]} here")
