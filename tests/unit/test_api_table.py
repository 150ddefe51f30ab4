"""docs/api.md is true: every row of it is driven through Locust, looked for on the wire, and asked for wrongly."""

from locust_process import ROOT

from docs.generate.api_table import CLASSES, document, rows
from tokenswarm.metrics.catalogue import METRICS
from tokenswarm.payloads.request_fields import PATHS


def test_the_document_is_the_tables() -> None:
    assert (ROOT / "docs" / "api.md").read_text(encoding="utf-8") == document(), (
        "run python -m docs.generate.api_table > docs/api.md"
    )


def test_the_table_names_metrics_and_classes_that_exist() -> None:
    known = {metric.name for metric in METRICS}
    assert set(CLASSES) == set(PATHS)
    for path in PATHS:
        for row in rows(path):
            assert set(row.measured) <= known, row
