"""Key and headers of the command line: for the server that it names, and for no other that a form names."""

from types import SimpleNamespace
from typing import Any

import pytest

from tokenswarm.run.origin import Own, home, keep_at_home

OWN = Own("http://10.0.0.5:11434", "sk-own", ("X-Gateway: 1",))


def form(host: str, api_key: str = "") -> Any:
    return SimpleNamespace(host=host, api_key=api_key, header=["X-Left: over"])


@pytest.mark.parametrize("host", ["http://10.0.0.5:11434", "http://10.0.0.5:11434/v1", "10.0.0.5:11434"])
def test_the_same_server_by_any_of_its_addresses_gets_them(host: str) -> None:
    options = form(host)
    assert keep_at_home(options, OWN) == []
    assert (options.api_key, options.header) == ("sk-own", ["X-Gateway: 1"])
    typed = form(host, "sk-typed")
    keep_at_home(typed, OWN)
    assert typed.api_key == "sk-typed"


@pytest.mark.parametrize("host", ["http://10.0.0.5:11435", "https://10.0.0.5:11434", "http://10.0.0.6:11434"])
def test_another_origin_gets_only_what_was_typed_for_it_and_a_remark(host: str) -> None:
    for key in ("", "sk-typed"):
        options = form(host, key)
        (remark,) = keep_at_home(options, OWN)
        assert (options.api_key, options.header) == (key, [])
        assert (remark["rule"], remark["level"]) == ("other host", "remark")
        assert "sk-own" not in str(remark)


def test_where_nothing_was_given_nothing_is_said() -> None:
    assert keep_at_home(form("http://elsewhere:1"), Own(OWN.host, "", ())) == []
    assert keep_at_home(form("http://elsewhere:1", "sk-typed"), Own(OWN.host, "sk-own", ())) == []


def test_what_is_no_address_is_nobodys_home() -> None:
    assert not home("http://10.0.0.5:11434", Own("ftp://x", "", ()))
