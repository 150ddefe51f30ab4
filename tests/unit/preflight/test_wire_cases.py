"""The cases of tests/wire_cases that are about what comes before a load, each with its right value."""

from dataclasses import dataclass

import pytest
from doors import CHAT, GOOD, Door, attempt, prepared
from wire_http import cases, replayed


@dataclass(frozen=True)
class Right:
    """What a run against a case must come to: begin (and ask for `model`), or end with a line; `words` are in it.

    Words of a run that begins are those of a warning; without any there is none.
    """

    words: str = ""
    begins: bool = True
    model: str = "m"
    given: tuple[str, ...] = ("--model", "m")
    named: str = "OpenAIChatUser"
    path: str = ""


def line(words: str, *given: str, named: str = "OpenAIChatUser") -> Right:
    return Right(words, begins=False, given=given or ("--model", "m"), named=named)


COMMA, EQUALS, PASSED_ON = "Qwen 3 (8B, q4)", "/models/epoch=9-step=1000", "openai/gpt-4o"
RIGHT = {
    "B13-model-list-bare": Right(),
    "B13-model-list-empty": Right("has no model 'm'; it has: none; asking it for m all the same"),
    "B13-model-list-strings": Right(),
    "B13-model-list-wildcard": Right("it has: openai/*, anthropic/*", model=PASSED_ON, given=("--model", PASSED_ON)),
    "B13-no-model-list": Right("gives no list of its models (GET /api/version: 404"),
    "B14-model-name-comma": Right(model=COMMA, given=("--model", COMMA)),
    "B14-model-name-equals": Right(model=EQUALS, given=("--model", EQUALS)),
    "B15-accept-406": Right(given=("--model", "m", "--no-stream")),
    "B15-max-tokens-refused": line(
        "--options max_completion_tokens=128 sends it by that name", "--model", "m", "--no-stream"
    ),
    "B15-stream-options-refused": line("HTTP 400 Unrecognized request argument supplied: stream_options; --options "
                                       "stream_options=null leaves it out"),
    "B16-gateway-502": line("is there, but not ready: HTTP 502 Bad Gateway (nginx)", "--seed", "0"),
    "B16-loading-503": line("is there, but not ready: HTTP 503 Loading model", "--seed", "0"),
    "B16-rate-limited": line("HTTP 429 Rate limit reached, Retry-After 20", "--seed", "0"),
    "B16-redirect-301": line("has moved to https://127.0.0.1:9443; give that as --host", "--seed", "0"),
    "B16-redirect-307": line("Location: http://127.0.0.1//v1/chat/completions/"),
    "B17-tags-401": line("wants an API key (HTTP 401 Authorization Required)", named="OllamaChatUser"),
    "B17-version-of-another": Right(),
    "B18-azure-deployment": line("refuses what the run would ask: HTTP 404 Resource not found"),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_case(name: str, tmp_path: pytest.TempPathFactory) -> None:
    right, case = RIGHT[name], cases()[name]
    with replayed(case) as (url, server):
        done = prepared("--host", url, "--run-dir", str(tmp_path), *right.given, named=(right.named,))
    assert bool(done.prepared) is right.begins, f"{done.line}: {case.expected}"
    assert right.words in (done.findings if right.begins else done.line), case.expected
    if right.begins:
        assert bool(done.findings) is bool(right.words)
        assert done.prepared
        assert done.prepared.target["model"] == right.model
    assert all(b"\r\nAccept: application/json" in head or b", application/json" in head for head in server.heads)


def test_a_deployment_is_found_by_its_path_and_query() -> None:
    where = "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21"
    for pasted in (where, where.replace("/chat/completions", "")):
        door = Door({where: GOOD}, cases()["B18-azure-deployment"].exchanges[0].raw)
        done = attempt(door, "--model", "m", path=pasted, named=("OpenAIChatUser",))
        assert (done.line, len(door.bodies(where))) == ("", 1)
        assert door.bodies(CHAT) == []
