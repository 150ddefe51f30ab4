"""Every option is a row, and all that is made of the rows is true."""

import re
from types import SimpleNamespace
from typing import Any

import pytest
from locust.argument_parser import get_empty_argument_parser
from locust_process import ROOT
from options import parsed

from docs.generate.api_options import wrong_line
from docs.generate.options_page import PAGES, page
from tokenswarm.features import offline
from tokenswarm.metrics.catalogue import METRICS
from tokenswarm.settings import form, options
from tokenswarm.settings.errors import UsageError
from tokenswarm.settings.option import Option

SHOWN = [option for option in options.OPTIONS if not option.internal]
every_option = pytest.mark.parametrize("option", SHOWN, ids=lambda option: option.name)


def value(option: Option, text: str = "") -> list[str]:
    """The words of a command line that give it."""
    return [option.name] if option.default is False else [option.name, text]


@every_option
def test_a_row_says_what_it_is_in_both_languages_and_names_metrics_that_exist(option: Option) -> None:
    assert re.fullmatch(r"--[a-z][a-z-]+", option.name)
    assert option.help[0].isupper() or option.help[0] == "`"
    assert re.search(r"[\u4e00-\u9fff]", option.zh), "no Chinese"
    assert not re.search(r"[`\[\]]|\(\)", option.plain_help)
    assert set(option.measured) <= {metric.name for metric in METRICS}


@every_option
def test_what_is_not_given_has_its_default_and_the_environment_gives_it_too(
    option: Option, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert getattr(parsed(), option.dest) == option.initial
    if option.default is False:
        monkeypatch.setenv(option.env_var, "true")
        assert getattr(parsed(), option.dest) is True


@pytest.mark.parametrize("option", [option for option in SHOWN if option.wrong], ids=lambda option: option.name)
def test_a_wrong_example_gets_one_line_that_names_the_option_and_what_was_given(
    option: Option, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises((SystemExit, UsageError)) as refused:
        offline(parsed(*value(option, option.wrong)))
    line = str(refused.value)
    if refused.type is SystemExit:
        assert line == "2"
        *_, line = capsys.readouterr().err.splitlines()
    assert "\n" not in line
    assert option.name in line or option.secret
    assert option.wrong in line or option.secret or option.name == "--trace-window"  # which says that there is no trace
    assert wrong_line(option) in line, "docs/api.md says another"


@pytest.mark.parametrize("option", [option for option in SHOWN if option.check and option.wrong], ids=lambda o: o.name)
def test_the_form_refuses_the_same(option: Option) -> None:
    with pytest.raises(UsageError, match=f"^{option.name}: "):
        form.check({option.dest: option.wrong}, {option.dest})


def test_an_option_that_may_be_given_several_times_takes_them_all() -> None:
    given = parsed("--expect", "contains:a", "--expect", "contains:b", "--slo", "a", "--slo", "b", "--options", "c=1")
    assert given.expect == ["contains:a", "contains:b"]
    assert given.slo == "a; b"
    assert given.options == "c=1"
    assert parsed().expect == parsed().header == []


def test_secrets_stand_in_no_file_and_the_form_shows_none_of_this_machines_own() -> None:
    assert not {"api_key", "header", "layout"} & set(options.KEPT)
    assert {"model", "seed", "expect", "run_id"} <= set(options.KEPT)
    parser: Any = get_empty_argument_parser()
    options.add(parser)
    shown = set(parser.args_included_in_web_ui)
    assert {"model", "api_key", "slo", "stages"} <= shown
    assert not {"files", "run_dir", "header", "ca_cert", "open_ui", "web_password_file"} & shown


def test_two_rows_of_one_name_there_are_not() -> None:
    names = [option.name for option in options.OPTIONS]
    assert len(set(names)) == len(names) > 60


@pytest.mark.parametrize("language", range(len(PAGES)), ids=PAGES)
def test_the_page_of_options_is_the_rows(language: int) -> None:
    text = (ROOT / "docs" / PAGES[language]).read_text(encoding="utf-8")
    assert text == page(language), "run python -m docs.generate.options_page"
    assert all(f"| `{option.name}` |" in text for option in SHOWN)


def test_a_reader_is_there_or_not() -> None:
    at = {option.name: option.read_by for option in options.OPTIONS}
    chat, embeds = {"OllamaChatUser", "LLMUser"}, {"OllamaEmbedUser", "EmbeddingUser", "LLMUser"}
    assert at["--max-tokens"].there(None, [embeds, chat])
    assert not at["--max-tokens"].there(None, [embeds])
    assert at["--batch-size"].there(None, [embeds])
    assert not at["--slo-abort"].there(SimpleNamespace(slo=""), [chat])
    assert at["--seed"].there(None, [])
