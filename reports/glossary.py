"""The glossary: what each metric means, from METRICS itself."""

from tokenswarm.metrics.catalogue import METRICS


def glossary() -> str:
    """A Markdown table of every metric and its definition, in the order of METRICS."""
    lines = ["| metric | definition |", "|---|---|"]
    lines += [f"| `{metric.name}` | {metric.definition.replace('|', chr(92) + '|')} |" for metric in METRICS]
    return "\n".join(lines) + "\n"
