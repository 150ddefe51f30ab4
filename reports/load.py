"""Reading a run folder: requests.csv as a DataFrame, run.json as it stands, and what was odd about them."""

import json
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd

from tokenswarm.folder.row import IDENTITY, JUDGED
from tokenswarm.metrics.catalogue import METRICS
from tokenswarm.metrics.clock import TIMES, ahead_ns, tracks
from tokenswarm.metrics.text import text
from tokenswarm.reports.errors import ReportError
from tokenswarm.reports.output import add_output
from tokenswarm.reports.parts.server_memory import Look, looks

FORMAT = 1
MOST_TEXT = 80  # characters
INTEGERS = (
    "worker",
    "sequence",
    "session",
    "turn",
    "turns_left",
    "stage",
    "arrival",
    "streamed",
    "status",
    "max_tokens",
    "scheduled_unix_ns",
    "sent_unix_ns",
    "ended_unix_ns",
)
LATER = ("retry_after_s", "session", "turn", "turn_kind", "turns_left", "stage", "arrival", "phase", "load_state")
# Without these a file is not a requests.csv. Others may be missing: older runs did not have them yet.
NEEDED = (
    *(name for name in IDENTITY if name not in LATER),
    "ttft_ms",
    "itl_ms_hist",
    "e2e_ms",
    "prompt_tokens",
    "output_tokens",
    "output_chunks",
)
_DTYPES = {"duration": "float64", "rate": "float64", "count": "Int64", "check": "Int64", "histogram": "str"}


@dataclass(frozen=True, slots=True)
class Run:
    """A run folder: `info` is run.json ({} without one), `frame` has one row a request, texts left out
    but for the beginning of the answer where it was kept.

    Columns are those of `folder.row`: `*_unix_ns` and counts are nullable Int64 (never float: a double cannot hold
    a wall-clock nanosecond), by the master's clock; durations and rates float64 with NaN where absent; and those of
    `reports.output`. `notices` says what was odd, `looks` what the server had in memory.
    """

    folder: Path
    info: dict[str, Any]
    frame: Any
    notices: tuple[str, ...]
    looks: tuple[Look, ...] = ()


def load(folder: Path) -> Run:
    """Read a run folder. Raises ReportError, with one line, where there is nothing that can be read."""
    if not folder.is_dir():
        raise ReportError(f"{folder}: no such folder; give the folder of a run, as in runs/20261123T111733Z-demo")
    info, notices = _read_info(folder / "run.json")
    frame, more = _read_requests(folder / "requests.csv")
    _onto_one_clock(frame, _workers(info))
    add_output(frame)
    return Run(folder, info, frame, (*notices, *more), looks(folder / "server.csv"))


def workers(folder: Path) -> list[dict[str, Any]]:
    """The workers of run.json, none where there is none. Raises ReportError if it cannot be read."""
    return _workers(_read_info(folder / "run.json")[0])


def _workers(info: dict[str, Any]) -> list[dict[str, Any]]:
    found = info.get("workers")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _onto_one_clock(frame: Any, workers: list[dict[str, Any]]) -> None:
    """Times of workers whose clocks are not the master's become the master's; requests.csv keeps the workers' own."""
    for worker, track in tracks(workers).items():
        own = frame["worker"] == worker
        for name in TIMES:
            known = frame[name].notna() & own
            moments = frame.loc[known, name].astype("int64").tolist()
            frame.loc[known, name] = [ns - ahead_ns(track, ns) for ns in moments]


def _read_info(path: Path) -> tuple[dict[str, Any], list[str]]:
    if not path.exists():
        return {}, ["there is no run.json (was the run killed?): target, options and workers are not known"]
    try:
        info = json.loads(path.read_text(encoding="utf-8"), parse_constant=lambda _: None)
    except (OSError, ValueError) as error:
        raise ReportError(f"{path}: cannot be read: {error}; move it away to report on requests.csv alone") from error
    if not isinstance(info, dict):
        raise ReportError(f"{path}: holds no JSON object; move it away to report on requests.csv alone")
    if info.get("format") != FORMAT:
        raise ReportError(f"{path}: format {info.get('format')!r} is unknown here, this version reads {FORMAT}")
    if info.get("state") == "running":
        return info, ["run.json says that the run has not ended: it still goes on, or it was killed"]
    return info, []


def _read_requests(path: Path) -> tuple[Any, list[str]]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ReportError(f"{path}: cannot be read: {error.strerror}; is this the folder of a run?") from error
    whole = whole_rows(data)
    if not whole.strip():
        raise ReportError(f"{path}: is empty; the run ended before its first line was written")
    notices = []
    if len(whole) < len(data):
        notices.append("the last line of requests.csv was cut in the middle and is left out")
    frame, missing = _parse(path, whole)
    if missing:
        notices.append(f"requests.csv comes from another version; absent in it: {', '.join(missing)}")
    kept = frame.drop_duplicates(["worker", "sequence"], ignore_index=True)
    if len(kept) < len(frame):
        notices.append(f"{len(frame) - len(kept)} rows had come twice (same worker and sequence); one of each is kept")
    return kept, notices


def whole_rows(data: bytes) -> bytes:
    r"""CSV bytes up to the end of the last whole row: the last "\n" that is not inside a quoted cell.

    A quote inside a cell is doubled, so before the end of a row there is always an even number of them.
    """
    end, quotes = len(data), data.count(b'"')
    while end > 0:
        newline = data.rfind(b"\n", 0, end)
        quotes -= data.count(b'"', newline + 1, end)
        if newline < 0 or quotes % 2 == 0:
            return data[: newline + 1]
        end = newline
    return b""


def _parse(path: Path, data: bytes) -> tuple[Any, list[str]]:
    header = pd.read_csv(BytesIO(data), nrows=0, encoding_errors="replace").columns
    if absent := [name for name in NEEDED if name not in header]:
        raise ReportError(f"{path}: lacks the columns {', '.join(absent)}; it is no requests.csv of this suite")
    # All texts of a long run would not fit into memory.
    beginning = (
        {"output_text": lambda cell: " ".join(text(cell)[:MOST_TEXT].split())} if "output_text" in header else {}
    )
    dtypes = {name: "Int64" if name in INTEGERS else "str" for name in IDENTITY} | {"retry_after_s": "float64"}
    dtypes |= {metric.name: _DTYPES[metric.kind] for metric in METRICS} | dict.fromkeys(JUDGED, "str")
    try:
        frame = pd.read_csv(
            BytesIO(data),
            dtype=dtypes,
            converters=beginning,
            usecols=[name for name in header if name in dtypes or name in beginning],
            keep_default_na=False,  # a model may be called "null"
            na_values=[""],
            encoding_errors="replace",
        )
    except ValueError as error:  # pandas' own errors are ValueErrors, too
        raise ReportError(f"{path}: cannot be read: {' '.join(str(error).split())}") from error
    missing = [name for name in dtypes if name not in frame.columns]
    for name in missing:
        frame[name] = pd.Series(pd.NA if dtypes[name] == "Int64" else None, index=frame.index, dtype=dtypes[name])
    for name in ("endpoint", "model", "outcome", "error", "token_source"):
        frame[name] = frame[name].fillna("")
    frame["phase"] = frame["phase"].fillna("steady")
    for name in (*IDENTITY, *JUDGED):
        if dtypes[name] == "str" and frame[name].str.startswith("'").any():
            frame[name] = frame[name].map(text, na_action="ignore")
    return frame, missing
