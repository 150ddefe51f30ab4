"""How many tokens there were, who counted them, and how many a second."""

from collections.abc import Mapping
from typing import Any

Window = tuple[int, int]


def window(frame: Any) -> Window | None:
    """(first sent, last ended) of all rows in wall-clock ns, whatever their outcome; None where nothing was sent."""
    sent, ended = frame["sent_unix_ns"].dropna(), frame["ended_unix_ns"].dropna()
    if not len(sent) or not len(ended) or ended.max() <= sent.min():
        return None
    return int(sent.min()), int(ended.max())


def generating(frame: Any) -> Any:
    """Which rows asked for output: those that sent a limit of it (embedding and management have none)."""
    return frame["max_tokens"].notna()


def generates(part: Mapping[str, Any]) -> bool:
    """Did any request of a part of the summary ask for output?"""
    return bool(part["tokens"]["requests_with_count"] + part["tokens"]["requests_without_count"])


def tokens(frame: Any, run_window: Window | None) -> dict[str, Any]:
    """Exact sums of the server's counts over rows of all outcomes and over `ok` ones, and the run's rate.

    `output_tokens_per_s` is the sum over all rows / window of the run, so that the rates of its groups add up to it.
    Rows without a count add nothing: `requests_without_count` says how many, `output_chunks_uncounted` what of theirs
    did arrive. What was dropped was never sent, and lacks none.
    """
    ok, counted = frame[frame["outcome"] == "ok"], frame["output_tokens"].notna()
    uncounted = ~counted & generating(frame) & frame["sent_unix_ns"].notna()
    output = int(frame["output_tokens"].sum())
    window_s = (run_window[1] - run_window[0]) / 1e9 if run_window else None
    sources = frame.loc[counted, "token_source"].replace("", "not stated").value_counts(sort=False)
    return {
        "output_tokens_all": output,
        "output_tokens_ok": int(ok["output_tokens"].sum()),
        "prompt_tokens_all": int(frame["prompt_tokens"].sum()),
        "prompt_tokens_ok": int(ok["prompt_tokens"].sum()),
        "requests_with_count": int(counted.sum()),
        "requests_without_count": int(uncounted.sum()),
        "output_chunks_uncounted": int(frame.loc[uncounted, "output_chunks"].sum()),
        "token_source": {str(name): int(n) for name, n in sorted(sources.items())},
        "output_tokens_per_s": round(output / window_s, 6) if window_s and counted.any() else None,
    }
