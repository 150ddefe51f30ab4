"""SLOs as a JUnit file, which CI systems read: one test case an SLO."""

from collections.abc import Sequence
from xml.etree import ElementTree

from tokenswarm.metrics.slo.judge import SloResult
from tokenswarm.metrics.slo.language import as_said


def junit(run: str, judged: Sequence[SloResult]) -> str:
    """The XML text; an SLO that was crossed is a failure, and so is one of which too few requests can tell."""
    missed = [each for each in judged if each.state != "met"]
    suite = ElementTree.Element("testsuite", name="SLOs", tests=str(len(judged)), failures=str(len(missed)))
    for each in judged:
        case = ElementTree.SubElement(suite, "testcase", classname=run, name=_legal(each.slo))
        if each.state != "met":
            ElementTree.SubElement(case, "failure", type=each.state, message=_legal(say(each)))
    ElementTree.indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(suite, encoding="unicode") + "\n"


def say(judged: SloResult) -> str:
    """One SLO in a line, as the terminal, the report and the JUnit file have it."""
    value, unit = as_said(judged.slo, judged.figure)
    figure = "–" if value is None else f"{value:.4g}{unit}"
    return f"SLO {judged.slo}: {judged.state} ({figure}, n = {judged.n}{f'; {judged.why}' if judged.why else ''})"


def _legal(text: str) -> str:
    """Without the control characters that XML cannot hold."""
    return "".join(c for c in text if c in "\t\n" or c >= " ")
