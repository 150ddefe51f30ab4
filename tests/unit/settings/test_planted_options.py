"""A key in every field that a user fills: no error about it gives it away. What servers fill: test_planted_key.py."""

from argparse import ArgumentTypeError
from types import SimpleNamespace

import pytest
from planted import KEY, PIECES, be_the_only_secret

from tokenswarm.features import offline
from tokenswarm.settings import form, options
from tokenswarm.settings.errors import UsageError

DEFAULTS = {option.dest: option.initial for option in options.OPTIONS}


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    be_the_only_secret(monkeypatch)


def test_no_error_about_an_option_gives_the_key_away(known: None) -> None:
    tried = 0
    for name in sorted(options.OURS):
        for value in (KEY, f"{KEY}, {KEY}", f"x={KEY}", f"poisson {KEY}", f"ttft_ms {KEY}", f"{{{KEY}", f"1x{KEY}"):
            filled = SimpleNamespace(**{**DEFAULTS, "host": "http://127.0.0.1:9", "run_time": None})
            setattr(filled, name, [value] if isinstance(getattr(filled, name), list) else value)
            said = ""
            try:
                form.check({name: value}, {name})
                offline(filled)
            except (UsageError, ArgumentTypeError) as error:
                said = str(error)
            except (TypeError, ValueError, AttributeError):
                continue  # argparse, or the form's check, had said it first
            tried += 1
            assert not [piece for piece in PIECES if piece in said], said
    assert tried > 200
    print(f"{tried} values of options")
