"""What an answer is checked against."""

from typing import Any

from tokenswarm.metrics.checks.case import Asked, Case
from tokenswarm.wire.values import Answer, Usage


def case(answer: Answer | str = "Paris", asked: Asked | None = None, **changes: Any) -> Case:
    said = Answer(answer) if isinstance(answer, str) else answer
    told = {"outcome": "ok", "finish_reason": "stop", "usage": Usage(20, 30, source="eval_count"), **changes}
    return Case(asked or Asked(128, "Where is the Louvre?"), said, **told)
