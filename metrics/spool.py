"""Rows on their way to the master: kept by the worker until acknowledged, taken by the master exactly once."""

from metrics.rows import Cell

Row = list[Cell]


class Outbox:
    """A worker's rows. What `pending` gives is given again until `acknowledge` names it."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, Row]] = []
        self._next = 0

    def add(self, row: Row) -> None:
        """Take a row in; it gets the next number."""
        self._rows.append((self._next, row))
        self._next += 1

    @property
    def made(self) -> int:
        """How many rows there have been."""
        return self._next

    def pending(self, most: int = 5000) -> tuple[int, list[Row]]:
        """(number of the first, rows): the oldest rows that are not acknowledged, at most `most` in one message."""
        batch = self._rows[:most]
        return (batch[0][0] if batch else self._next), [row for _, row in batch]

    def acknowledge(self, up_to: int) -> None:
        """Drop the rows with numbers below `up_to`: the master has them."""
        self._rows = [item for item in self._rows if item[0] >= up_to]

    def __len__(self) -> int:
        return len(self._rows)


class Inbox:
    """The master's side, per worker: which rows are new."""

    def __init__(self) -> None:
        self._have: dict[str, int] = {}

    def take(self, client_id: str, first: int, rows: list[Row]) -> tuple[list[Row], int]:
        """(rows not had before, number below which all are had now).

        Rows are numbered without holes, so a batch that begins beyond what is had follows a lost one: it is left for
        the worker to send again, since nothing was acknowledged.
        """
        have = self._have.get(client_id, 0)
        if first > have:
            return [], have
        new = rows[have - first :]
        self._have[client_id] = have + len(new)
        return new, have + len(new)
