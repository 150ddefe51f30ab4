"""A key anywhere on a command line that is wrong: no error shows it again."""

from pathlib import Path

import pytest
from locust_process import headless
from planted import KEY, PIECES

WRONG = [
    ("--header", f"Authorization {KEY}"),
    ("--header", "X-Fine: 1", "--header", f"Authorization Bearer {KEY}"),
    ("--header", f"X-Api-Key={KEY}"),
    ("--api-key", f"{KEY} {KEY}"),
    ("--api-kee", KEY, "--api-token", KEY),
    (f"--api-key={KEY}", "--max-tokens", KEY),
    ("--host", f"http://me:{KEY}@127.0.0.1:9"),
    ("--host", f"http://127.0.0.1:9/v1?api_key={KEY} x"),
    ("--host", f"http://127.0.0.1:9/v1?api_key={KEY}"),
    ("--host", f"http://me:{KEY}@127.0.0.1:9", "--headful", "--web-port", "1"),
]


@pytest.mark.parametrize("given", WRONG, ids=lambda given: str(given[0]))
def test_no_command_line_that_is_wrong_shows_the_key_again(given: tuple[str, ...], tmp_path: Path) -> None:
    host = () if "--host" in given else ("--host", "http://127.0.0.1:9")
    done = headless("", tmp_path / "runs", "OpenAIChatUser", "--users", "1", "--run-time", "1s", *host, *given)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    for piece in PIECES:
        assert piece not in done.stdout + done.stderr
