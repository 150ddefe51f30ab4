"""Looks after the run folder while a run goes on: one whose rows can no longer be kept ends with those it has."""

import sys
import tempfile
from pathlib import Path
from typing import Any

import gevent

from tokenswarm.folder.run_folder import RunFolder
from tokenswarm.run.cluster import Cluster
from tokenswarm.run.publisher import Publisher

LOOK_S, PATIENCE_S = 1.0, 10.0  # so long a disk may stay full
EXIT_CODE = 2


def watch(environment: Any, cluster: Cluster, folder: RunFolder, publisher: Publisher) -> None:
    """To be run in a greenlet of its own; it ends with the run."""
    while publisher.sink == folder.append:
        gevent.sleep(LOOK_S)
        why = _lost(folder) if folder.is_lost() else _stuck(folder, publisher.stuck_s)
        if why and publisher.sink == folder.append:
            print(f"tokenswarm: error: {why}; ending the run", file=sys.stderr)
            environment.process_exit_code = EXIT_CODE
            gevent.spawn(cluster.end)  # in a greenlet of its own: it may end the process
            return


def _lost(folder: RunFolder) -> str:
    try:
        folder.restore()
    except OSError as error:
        return f"the run folder {folder.path} is gone, with its rows, and cannot be made again: {error}"
    return f"the run folder {folder.path} was removed, and is made again with its {folder.rows:,} rows"


def _stuck(folder: RunFolder, stuck_s: float) -> str:
    if stuck_s <= PATIENCE_S:
        return ""
    why, left = f"no row could be written to the run folder for {stuck_s:.0f} s", folder.path
    try:
        folder.move(Path(tempfile.mkdtemp(prefix="tokenswarm-")))  # which nobody else may look into
    except OSError:
        return why
    return f"{why}; the run goes from {left} to {folder.path}, with all its rows"
