"""Was it the client that limited a trial of a capacity search, and not the server? By the rules of metrics/validity."""

from collections.abc import Sequence

from metrics.histogram import percentile_ms
from metrics.slo import Slo
from metrics.validity import RULES, Facts, apply

ALWAYS = ("late dispatch", "worker CPU")
OF_GAPS = ("late reads", "loop lag")  # with kernel stamps a late read shifts no other time than a gap's
GAPS = ("itl_ms", "longest_gap_ms")
LATE_PERCENT, LATE_SHARE = 95, 0.05


def limits(facts: Facts, slos: Sequence[Slo]) -> list[str]:
    """What shows it, in sentences. Of lateness there may be 5 % of the least time that the SLOs allow."""
    asked = {slo.subject for slo in slos}
    names = ALWAYS + (OF_GAPS if not facts.stamped or asked.intersection(GAPS) else ())
    found = [finding for rule in RULES if rule.name in names and (finding := apply(rule, facts))]
    said = [str(finding["what"]) for finding in found if finding["level"] == "invalid"]
    if dropped := facts.rows.outcomes["dropped"]:
        said.append(f"{dropped} of {facts.rows.total} arrivals found no client free and were not sent")
    late_ms = percentile_ms(facts.rows.late_ms, LATE_PERCENT)
    least_ms = min((slo.limit for slo in slos if slo.subject.endswith("_ms") and slo.limit), default=None)
    if late_ms and least_ms and late_ms > LATE_SHARE * least_ms:
        said.append(f"requests left up to {late_ms:.3g} ms (p{LATE_PERCENT}) after they were due")
    return said
