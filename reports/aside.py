"""Work on many rows in a process of its own, beside what is done meanwhile."""

import multiprocessing
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from tokenswarm.reports import growing
from tokenswarm.reports.errors import ReportError

T = TypeVar("T")
_given: Callable[[], Any]


def aside(work: Callable[[], T], rows: int) -> Callable[[], T]:
    """Begin with it, and give what waits for what it comes to; of few rows it is done only then, and here.

    The process has all that this one has, without a copy of it, and sends back what comes out. Raises what it raised.
    """
    if rows <= growing.MOST_IN_MEMORY or "fork" not in multiprocessing.get_all_start_methods():
        return work
    pool = ProcessPoolExecutor(1, multiprocessing.get_context("fork"), initializer=_take, initargs=(work,))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of numpy's threads, which have nothing to do at that moment
        future = pool.submit(_do)

    def result() -> T:
        try:
            found: T = future.result()
        except BrokenProcessPool as error:
            raise ReportError("a process that described rows was killed; is the memory full?") from error
        finally:
            pool.shutdown()
        return found

    return result


def _take(work: Callable[[], Any]) -> None:
    global _given
    _given = work


def _do() -> Any:
    return _given()
