"""The simulator says what Ollama says: its answers beside recorded ones, key for key, head for head."""

import json
import re
import select
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from recordings import CAPTURES, capture, head, shape
from simulator_process import Answer, Simulator, parse, running

MODELS = {"gemma3-270m": "sim", "gemma3-270m-base": "sim", "t-think": "sim-think"}

# What generates is in test_simulator_captures.
ERRORS = "err_404 err_method err_put err_show_unknown v1_get"
WHOLE = "version tags ps v1_model v1_models"


@pytest.fixture(scope="module")
def sim() -> Iterator[Simulator]:
    with running("--decode-tps", "2000", "--prefill-tps", "100000", "--load-ms", "1", "--output-tokens", "30") as it:
        yield it


def both(sim: Simulator, name: str) -> tuple[Answer, Answer]:
    """The recorded answer, and ours to the same request with the models' names exchanged."""
    recorded = capture(name)
    body: Any = recorded["body"] or None
    if isinstance(body, dict):
        body = json.dumps(body)
    path = recorded["path"]
    for theirs, ours in MODELS.items():
        path = path.replace(theirs, ours) if path.endswith(theirs) else path
        body = body and body.replace(f'"{theirs}"', f'"{ours}"')
    headers = {key: value for key, value in recorded["headers"].items() if key == "Content-Type"}
    ours_said = sim.ask(recorded["method"], path, body.encode() if body else None, headers)
    return parse(recorded["response_latin1"].encode("latin-1")), ours_said


@pytest.mark.parametrize("name", ERRORS.split())
def test_errors_word_for_word(sim: Simulator, name: str) -> None:
    theirs, ours = both(sim, name)
    said = theirs.body.decode()
    for their_name, our_name in MODELS.items():
        said = re.sub(rf"\b{their_name}\b(?!-)", our_name, said)
    assert ours.body.decode() == said
    assert head(ours) == head(theirs)


@pytest.mark.parametrize("name", WHOLE.split())
def test_whole_answers(sim: Simulator, name: str) -> None:
    if name == "ps":
        sim.generate()
    theirs, ours = both(sim, name)
    assert shape(ours.json()) == shape(theirs.json())
    assert ours.complete
    assert ours.body.endswith(b"\n") == theirs.body.endswith(b"\n")
    if name in ("tags", "v1_models"):  # our list is longer: it leaves in chunks
        theirs.headers["transfer-encoding"] = theirs.headers.pop("content-length")
    assert head(ours) == head(theirs)


def test_unload_of_real_server_is_ours_too(sim: Simulator) -> None:
    for name in ("chat_empty", "chat_unload", "gen_unload_0", "gen_unload_2"):
        theirs, ours = both(sim, name)
        assert ours.json()["done_reason"] == theirs.json()["done_reason"]


def test_show_has_the_keys_of_the_real_one(sim: Simulator) -> None:
    theirs, ours = both(sim, "show")
    assert list(ours.json()) == list(theirs.json())
    assert shape(ours.json()["details"]) == shape(theirs.json()["details"])
    assert shape(ours.json()["tensors"]) == shape(theirs.json()["tensors"])


def test_root_and_heads(sim: Simulator) -> None:
    assert sim.ask("GET", "/").body == b"Ollama is running"
    for path in ("/", "/api/version"):
        assert (sim.ask("HEAD", path).status, sim.ask("HEAD", path).body) == (200, b"")


def test_head_and_first_line_leave_in_one_write() -> None:
    with running("--decode-tps", "20", "--prefill-tps", "100", "--load-ms", "0", "--merge", "0") as sim:
        answer = sim.generate(limit=3)
        assert len(answer.reads) >= 3  # the last line and the done line leave one after the other and may meet
        assert answer.reads[0][1].count(b"\r\n\r\n") == 1
        assert answer.reads[0][1].endswith(b'"done":false}\n\r\n')


def test_openai_only_tells_its_role_before_prefill() -> None:
    with running("--openai-only", "--prefill-tps", "20", "--load-ms", "0") as sim:
        body = {"model": "sim", "messages": [{"role": "user", "content": "x"}], "stream": True, "max_tokens": 2}
        answer = sim.post("/v1/chat/completions", body)
        assert answer.reads[1][0] - answer.reads[0][0] > 100_000_000  # the prefill is between the two
        deltas = [event["choices"][0]["delta"] for event in answer.events()[:-1]]
        assert deltas[0] == {"role": "assistant", "content": ""}
        assert all("role" not in delta for delta in deltas[1:])
        for path in ("/", "/api/tags", "/nothing"):
            missing = sim.ask("GET", path)
            assert (missing.status, missing.json()) == (404, {"detail": "Not Found"})
        assert sim.ask("GET", "/v1/models").status == 200


def test_a_llama_cpp_sends_its_head_when_a_slot_takes_the_request_and_its_role_with_the_first_token() -> None:
    messages = [{"role": "user", "content": "x"}]
    body = json.dumps({"model": "sim:latest", "messages": messages, "stream": True, "max_tokens": 2}).encode()
    asked = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    with running("--engine", "llama.cpp", "--parallel", "1", "--prefill-tps", "2", "--load-ms", "0") as sim:
        port = int(sim.url.rpartition(":")[2])
        with (
            socket.create_connection(("127.0.0.1", port)) as first,
            socket.create_connection(("127.0.0.1", port)) as last,
        ):
            first.sendall(asked)
            assert first.recv(4096).endswith(b"\r\n\r\n")  # and its prefill takes seconds
            last.sendall(asked)
            assert [slot["is_processing"] for slot in sim.ask("GET", "/slots").json()] == [True]
            assert not select.select([last], [], [], 0)[0]
            first.close()
            assert last.recv(4096).endswith(b"\r\n\r\n")
            role = last.recv(4096)
            assert (role.count(b'"role":"assistant"'), role.count(b"data: {") >= 1) == (1, True)


def test_openai_only_refuses_a_prompt_that_is_too_long_in_the_words_of_llama_cpp() -> None:
    recorded = parse(capture("ls_toolong")["response_latin1"].encode("latin-1"))
    said = [{"role": "user", "content": "word " * 4000}]
    with running("--openai-only", "--context-length", "2048", "--load-ms", "0") as sim:
        refused = sim.post("/v1/chat/completions", {"model": "sim", "messages": said, "stream": True})
    assert (refused.status, refused.headers["content-type"]) == (400, recorded.headers["content-type"])
    theirs, ours = recorded.json()["error"], refused.json()["error"]
    assert ours == {**theirs, "message": theirs["message"].replace("5024", "5012"), "n_prompt_tokens": 5012}


@pytest.mark.parametrize(
    ("options", "prompt_tokens"),
    [
        ((), 2051),
        (("--context-length", "131072"), 50_012),
        (("--openai-only",), None),
        (("--context-length", "64"), 131),
    ],
)
def test_a_context_length_that_is_given_holds_whatever_models_usually_take(
    options: tuple[str, ...], prompt_tokens: int | None
) -> None:
    said = [{"role": "user", "content": "word " * 40_000}]
    body = {"model": "sim", "messages": said, "max_tokens": 2}
    with running("--load-ms", "0", "--prefill-tps", "1e9", *options) as sim:
        answer = sim.post("/v1/chat/completions", body)
        assert answer.status == (400 if prompt_tokens is None else 200)
        if prompt_tokens is not None:
            assert answer.json()["usage"]["prompt_tokens"] == prompt_tokens
            shown = sim.post("/api/show", {"model": "sim"}).json()["model_info"]["sim.context_length"]
            (loaded,) = sim.ask("GET", "/api/ps").json()["models"]
            assert loaded["context_length"] <= shown == max(32_768, loaded["context_length"])


def test_ps_shows_the_context_that_was_asked_for(sim: Simulator) -> None:
    sim.generate(options={"num_ctx": 8192, "num_predict": 1}, keep_alive="5m")
    found = {one["name"]: one["context_length"] for one in sim.ask("GET", "/api/ps").json()["models"]}
    assert found["sim:latest"] == 8192


def test_counts_and_durations_are_the_schedules_own() -> None:
    with running("--decode-tps", "50", "--load-ms", "100", "--merge", "0", "--prefill-tps", "1000") as sim:
        done = sim.generate(limit=5).lines()[-1]
        assert done["eval_count"] == 5
        assert done["prompt_eval_count"] == 13
        # A busy machine is later than the schedule, and none is earlier.
        assert done["eval_duration"] > 75e6
        assert done["prompt_eval_duration"] > 10e6
        assert done["load_duration"] > 95e6
        parts = done["load_duration"] + done["prompt_eval_duration"] + done["eval_duration"]
        assert done["total_duration"] >= parts
        again = sim.generate(limit=5).lines()[-1]
        assert again["prompt_eval_count"] == 13
        assert 1e6 <= again["load_duration"] < done["load_duration"]


def test_max_completion_tokens_is_ignored(sim: Simulator) -> None:
    body = {"model": "sim", "messages": [{"role": "user", "content": "x"}], "max_completion_tokens": 2}
    limited = sim.post("/v1/chat/completions", {**body, "max_tokens": 3}).json()
    assert limited["usage"]["completion_tokens"] == 3
    free = sim.post("/v1/chat/completions", body).json()
    assert free["usage"]["completion_tokens"] > 3
    assert free["choices"][0]["finish_reason"] == "stop"


def test_the_same_prompt_has_the_same_answer_streamed_or_not(sim: Simulator) -> None:
    prompt = "为什么天空是蓝色的?"
    options = {"temperature": 0}
    streamed = sim.generate(prompt, options=options).lines()
    whole = sim.generate(prompt, options=options, stream=False).json()
    assert "".join(line["response"] for line in streamed) == whole["response"]
    assert streamed[-1]["eval_count"] == whole["eval_count"]
    assert re.search("[一-鿿]", whole["response"])


def test_ps_says_when_a_model_expires(sim: Simulator) -> None:
    sim.generate(keep_alive=-1)
    (entry,) = [one for one in sim.ask("GET", "/api/ps").json()["models"] if one["name"] == "sim:latest"]
    assert entry["expires_at"].startswith("23")
    sim.generate(keep_alive=0)
    assert "sim:latest" not in str(sim.ask("GET", "/api/ps").json())


def test_this_file_has_all_captures_it_names() -> None:
    capture("version")
    for name in (*ERRORS.split(), *WHOLE.split()):
        assert Path(CAPTURES / f"{name}.json").is_file(), name
