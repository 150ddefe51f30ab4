"""The slices of a summary by endpoint and model, and how they are named."""

import json
from collections.abc import Mapping
from typing import Any

from tokenswarm.reports.render.document import Cell, Code, Line

Summary = Mapping[str, Any]


def group_name(group: Summary) -> Line:
    """The name of a slice by endpoint and model."""
    name_cells = [Code(group[name]) for name in ("endpoint", "model") if group.get(name)]
    return tuple(cell for pair in zip(name_cells, (" ", ""), strict=False) for cell in pair if cell) or (
        "all requests",
    )


def slices(summary: Summary) -> list[Summary]:
    """The groups, and all of them together where there is more than one."""
    groups = list(summary["groups"])
    return [*groups, {"endpoint": "", "model": "", **summary["overall"]}] if len(groups) > 1 else groups


def name_cells(group: Summary) -> tuple[Cell, Cell]:
    if not group["endpoint"] and not group["model"]:
        return "all", ""
    return Code(group["endpoint"]), Code(group["model"])


def are_of_models(rows: Any) -> Any:
    """Which rows are of generations and embeddings, and not of management calls."""
    return rows["max_tokens"].notna() | rows["batch_size"].notna()


def select_of_models(rows: Any) -> Any:
    """The rows of generations and embeddings, where there are any: the times of management calls are not theirs."""
    found = rows[are_of_models(rows)]
    return found if len(found) else rows


def write_value(value: object) -> str:
    """A value of run.json as text."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
