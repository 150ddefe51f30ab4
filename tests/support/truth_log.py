"""The simulator's log of what it sent and when (`--truth`), beside the rows of a run that it served."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from locust_process import Run


def read_truth(path: Path) -> list[dict[str, Any]]:
    """A dict a request, in the order of their ends; wall-clock ns."""
    return [json.loads(line) for line in path.read_text().splitlines()]


@dataclass(frozen=True)
class Served:
    """One request: the server's record of it, and the client's row."""

    truth: dict[str, Any]
    row: dict[str, str]

    def tokens(self, since_ns: int, until_ns: int) -> int:
        """How many were handed over in a window."""
        return sum(tokens for ns, _, _, tokens, _ in self.truth["chunks"] if since_ns <= ns < until_ns)

    def is_within(self, since_ns: int, until_ns: int) -> bool:
        """Whether all of it lies in a window, or none."""
        begin_ns, end_ns = self.truth["read_ns"], int(self.row["ended_unix_ns"])
        return not any(begin_ns <= edge_ns <= end_ns for edge_ns in (since_ns, until_ns))


def row_ids(run: Run) -> dict[str, dict[str, str]]:
    """The rows of a run by the request ids that were sent with them."""
    return {f"{run.path.name}-{row['worker']}-{row['sequence']}": row for row in run.rows}


def served(log: Path, run: Run) -> list[Served]:
    """All requests of a run that reached the server, whose log must be at its end."""
    rows = row_ids(run)
    return [Served(truth, rows[truth["request_id"]]) for truth in read_truth(log) if truth["request_id"] in rows]


def sent_tokens(requests: list[Served], since_ns: int, until_ns: int) -> tuple[int, int]:
    """How many tokens the server sent in a window; of how many a client need not know whether they lie in it.

    What was answered wholly within or without the window is no matter of doubt, however slow the machine.
    """
    doubtful = [one for one in requests if one.row["outcome"] != "ok" or not one.is_within(since_ns, until_ns)]
    doubt = sum(one.truth["output_tokens"] for one in doubtful)
    return sum(one.tokens(since_ns, until_ns) for one in requests), doubt
