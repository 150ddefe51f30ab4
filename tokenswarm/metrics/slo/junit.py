"""SLOs as a JUnit file, which CI systems read: one test case an SLO."""

from collections.abc import Sequence
from xml.etree import ElementTree

from tokenswarm.metrics.slo.judge import SloResult
from tokenswarm.metrics.slo.language import as_said


def junit(run: str, judged: Sequence[SloResult], invalid: str = "") -> str:
    """The XML text; an SLO that was crossed is a failure, and so is one of which too few requests can tell.

    `invalid` says why the run is INVALID: that fails a test case of its own, as no SLO is then worth its figure.
    """
    missed = [each for each in judged if each.state != "met"]
    tests, failures = len(judged) + bool(invalid), len(missed) + bool(invalid)
    suite = ElementTree.Element("testsuite", name="SLOs", tests=str(tests), failures=str(failures))
    if invalid:
        case = ElementTree.SubElement(suite, "testcase", classname=run, name="the run is VALID")
        ElementTree.SubElement(case, "failure", type="INVALID", message=_legal(invalid))
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


def why_invalid(validity: object) -> str:
    """Of run.json's verdict: what makes a run INVALID, in one line; empty of a VALID one, or where there is none."""
    if not isinstance(validity, dict) or validity.get("verdict") == "VALID":
        return ""
    found = validity.get("findings")
    said = [str(one.get("what")) for one in found or () if isinstance(one, dict) and one.get("level") == "invalid"]
    return f"INVALID: {'; '.join(said) or 'nobody could judge it'}"


def _legal(text: str) -> str:
    """Without the control characters that XML cannot hold."""
    return "".join(c for c in text if c in "\t\n" or c >= " ")
