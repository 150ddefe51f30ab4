"""`--scrape`: which endpoints a text means, and what is said of what is none."""

import pytest
from options import parsed

from tokenswarm.features import offline
from tokenswarm.settings.errors import UsageError
from tokenswarm.settings.scraping import scrape_urls, without_query


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("", []),
        ("http://box:8000/metrics", ["http://box:8000/metrics"]),
        ("box:9400", ["http://box:9400/metrics"]),
        (" http://a/m , https://b/ ,http://a/m", ["http://a/m", "https://b/metrics"]),
        ("http://[::1]:9100/metrics?collect[]=rapl", ["http://[::1]:9100/metrics"]),
    ],
)
def test_each_url_is_an_endpoint_once(text: str, urls: list[str]) -> None:
    assert [without_query(where) for where in scrape_urls(text)] == urls


def test_the_query_is_asked_but_not_shown() -> None:
    (where,) = scrape_urls("http://box/metrics?token=s3cret-of-mine&name=x")
    assert where.path("") == "/metrics?token=s3cret-of-mine&name=x"
    assert "s3cret" not in without_query(where)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ftp://box", "▸ftp://box◂ is no http:// or https:// URL"),
        ("http://", "is no URL of host"),
        ("http://box:eighty/", "is no URL"),
        ("http://box:0/", "is no URL"),
        ("http://me:hidden@box/", "▸http://…@box/◂"),
        ("http://box/a b", "is no URL of host"),
        (",".join(f"http://box:{port}" for port in range(1, 30)), "too many"),
    ],
)
def test_what_is_none_gets_a_line(text: str, said: str) -> None:
    with pytest.raises(ValueError, match="; ") as refused:
        scrape_urls(text)
    assert said in str(refused.value)
    assert "hidden" not in str(refused.value)


def test_scraping_never_is_a_contradiction() -> None:
    offline(parsed("--sample-every", "0s"))
    with pytest.raises(UsageError, match="--sample-every 0s"):
        offline(parsed("--sample-every", "0s", "--scrape", "http://box/metrics"))
