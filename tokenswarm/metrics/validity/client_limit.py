"""Was it the client that limited a trial of a capacity search, and not the server? By the rules of metrics/validity."""

from collections.abc import Sequence

from tokenswarm.metrics.histogram import percentile_ms
from tokenswarm.metrics.slo.language import Slo
from tokenswarm.metrics.validity.rules import RULES, Facts, apply

ALWAYS = ("late dispatch", "worker CPU")
OF_GAPS = ("late reads", "loop lag")  # with kernel stamps a late read shifts no other time than a gap's
GAPS = ("itl_ms", "longest_gap_ms")
LATE_PERCENT, LATE_SHARE, LATE_OF_E2E = 95, 0.05, 0.2


def limits(facts: Facts, slos: Sequence[Slo]) -> list[str]:
    """What shows it, in sentences.

    Lateness is part of a response time: there may be 5 % of what the SLOs allow of that. Any other time counts from
    when the request was sent; then lateness only makes the arrivals less regular than asked for, which matters where
    it comes near the time of a request.
    """
    asked = {slo.subject for slo in slos}
    names = ALWAYS + (OF_GAPS if not facts.is_stamped or asked.intersection(GAPS) else ())
    found = [finding for rule in RULES if rule.name in names and (finding := apply(rule, facts))]
    said = [str(finding["what"]) for finding in found if finding["level"] == "invalid"]
    if dropped := facts.rows.outcomes["dropped"]:
        were = "was" if dropped == 1 else "were"
        said.append(f"{dropped} of {facts.rows.total} arrivals found no client free and {were} not sent")
    late_ms = percentile_ms(facts.rows.late_ms, LATE_PERCENT)
    bounds_ms = [LATE_SHARE * slo.limit for slo in slos if slo.subject == "response_ms"]
    bounds_ms.append(LATE_OF_E2E * (percentile_ms(facts.rows.e2e_ms, 50) or 0.0))
    if late_ms and late_ms > min(bounds_ms):
        said.append(f"requests left up to {late_ms:.3g} ms (p{LATE_PERCENT}) after they were due")
    return said
