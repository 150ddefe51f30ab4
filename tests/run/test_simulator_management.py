"""Management and embeddings: the simulator's answers beside the real one's, to the same requests in the same order."""

import base64
import json
import math
import re
import struct
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from recordings import CAPTURES, capture, head, shape
from simulator_process import Answer, Simulator, parse, running

OPTIONS = ("--decode-tps", "2000", "--prefill-tps", "100000", "--load-ms", "1", "--output-tokens", "30")
MODELS = {"gemma3-270m": "sim", "t-think": "sim-think", "t-tools": "sim-tools", "minilm": "sim-embed"}
RESOLVER = ("10.255.255.53:53", "127.0.0.53:53")  # whoever resolves names on the machine of the recordings

# In the order in which they were recorded: what one made the next one finds.
STORY = """
mgmt_create_from mgmt_create_from_nostream mgmt_create_from_unknown mgmt_create_from_unknown_nostream
mgmt_create_badparam mgmt_run_badparam mgmt_create_badtemplate mgmt_create_quantize mgmt_create_badname
mgmt_blob_head_missing mgmt_blob_head_bad mgmt_blob_post mgmt_blob_post_again mgmt_blob_head_posted
mgmt_create_files mgmt_copy mgmt_copy_unknown mgmt_tags mgmt_pull_unknown mgmt_pull_unknown_nostream
mgmt_pull_badname mgmt_pull_noname mgmt_pull_closedport mgmt_pull_closedport_secure mgmt_push_unknown
mgmt_push_local_nostream mgmt_push_closedport mgmt_copy_to mgmt_push_copied_closedport mgmt_delete_m1
mgmt_delete_m1c mgmt_delete_m2 mgmt_delete_m3 mgmt_delete_127.0.0.1_9_library_x mgmt_delete_unknown copy delete
embed embed_batch embed_batch64 embed_batch_dup embed_dim0 embed_empty_list embed_empty_string embed_input_number
embed_keepalive0 embed_list_with_empty embed_long_batch_notruncate embed_long_default embed_long_notruncate
embed_numctx embed_old_empty embed_old_long embed_old_noprompt embed_on_completion_model embed_ps embed_show
embed_single embed_single_again embed_unknown_model embed_v1_batch embed_v1_dim64 embed_v1_empty embed_v1_emptylist
embed_v1_long embed_v1_single embed_v1_unknown embeddings_old v1_embeddings err_host err_origin tags tags_2 version
root root_head ps ps_unload think_show tools_show think_tags show swap_mid_ps
"""
# What differs, and why.
SIZE_ONLY = "our list of models is another one: its length decides between a length and chunks"
EXCEPTIONS = {
    "mgmt_tags": SIZE_ONLY,
    "tags": SIZE_ONLY,
    "tags_2": SIZE_ONLY,
    "think_tags": SIZE_ONLY,
    "swap_mid_ps": SIZE_ONLY,
    "embed_ps": SIZE_ONLY,
    "show": "our model has other facts and fewer tensors, so model_info has other keys and the answer is short",
    "think_show": "as show",
    "tools_show": "as show",
    "embed_show": "as show",
}


@pytest.fixture(scope="module")
def sim() -> Iterator[Simulator]:
    with running(*OPTIONS) as it:
        yield it


def ask(sim: Simulator, name: str) -> tuple[Answer, Answer]:
    """The recorded answer with the models' names exchanged, and ours."""
    recorded = capture(name)
    raw, body = recorded["response_latin1"].encode("latin-1"), recorded["body"] or None
    if isinstance(body, dict):
        body = json.dumps(body)
    for theirs, ours in MODELS.items():
        body = body and body.replace(f'"{theirs}"', f'"{ours}"')
    headers = {
        key: recorded["headers"][key] for key in ("Content-Type", "Host", "Origin") if key in recorded["headers"]
    }
    return parse(raw), sim.ask(recorded["method"], recorded["path"], body.encode() if body else None, headers)


def plain(text: str) -> str:
    """An answer without what must differ: names, digests, the resolver."""
    text = re.sub("sha256:[0-9a-f]{64}", "sha256:DIGEST", text).replace(*RESOLVER)
    for theirs, ours in MODELS.items():
        text = re.sub(rf"\b{theirs}\b(?!-)", ours, text)
    return text


def same(name: str, theirs: Answer, ours: Answer) -> None:
    """Status, head, keys, types, and every word that is not data."""
    if name in EXCEPTIONS:
        for answer in (theirs, ours):
            answer.headers.pop("content-length", None)
            answer.headers.pop("transfer-encoding", None)
    assert head(ours) == head(theirs)
    if b'"embedding' in theirs.body or b'"models"' in theirs.body or name.endswith("show"):
        assert alike(name, ours.json(), theirs.json())
    else:
        assert [plain(chunk.decode()) for chunk in ours.chunks] == [plain(chunk.decode()) for chunk in theirs.chunks]


def alike(name: str, ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    for answer in (ours, theirs):
        if name.endswith("show"):
            family = answer["details"]["family"]
            answer["model_info"] = dict.fromkeys(key.replace(f"{family}.", "FAMILY.") for key in answer["model_info"])
        if "embeddings" in answer:  # as many of as many
            answer["embeddings"] = [[len(answer["embeddings"]), {str(len(one)) for one in answer["embeddings"]}]]
            answer["embeddings"] = str(answer["embeddings"])
        if "data" in answer:
            answer["data"] = [[len(one["embedding"]), one["index"], one["object"]] for one in answer["data"]]
            answer["data"] = [str(answer["data"]).replace("384", "N")]
    if name.endswith("show"):
        assert set(ours.pop("model_info")) <= set(theirs.pop("model_info"))
    assert shape(ours) == shape(theirs)
    assert ours.get("embeddings") == theirs.get("embeddings")
    assert ours.get("data") == theirs.get("data")
    return True


def test_the_story_of_the_recordings(sim: Simulator) -> None:
    wrong = {}
    for name in STORY.split():
        if name in ("ps", "embed_ps"):
            sim.generate(model="sim")
        if name == "ps_unload":
            for model in ("sim", "sim-think", "sim-embed", "sim-tools"):
                sim.post("/api/generate", {"model": model, "keep_alive": 0})
            sim.post("/api/embed", {"model": "sim-embed", "input": "x", "keep_alive": 0})
        theirs, ours = ask(sim, name)
        try:
            same(name, theirs, ours)
        except AssertionError as error:
            wrong[name] = str(error)[:1500]
    assert not wrong, "\n\n".join(f"{name}: {why}" for name, why in wrong.items())


def burst(sim: Simulator, bodies: list[dict[str, Any]], apart_s: float = 0.02) -> list[Answer]:
    """Requests sent one shortly after the other, answered at once."""
    with ThreadPoolExecutor(len(bodies)) as pool:
        sent = []
        for body in bodies:
            sent.append(pool.submit(sim.post, "/api/generate", {"prompt": "x", "stream": False, **body}))
            time.sleep(apart_s)
        return [one.result() for one in sent]


def recorded_statuses(name: str) -> list[int]:
    capture("version")
    lines = (CAPTURES / f"{name}.summary.jsonl").read_text().splitlines()
    return [int(one.get("status") or one["st"]) for one in map(json.loads, lines)]


def test_bursts_meet_the_same_limits_as_the_real_ones() -> None:
    with running("--max-queue", "2", "--parallel", "1", "--load-ms", "600", "--max-loaded-models", "1") as sim:
        eight = [{"model": "sim", "options": {"num_predict": 4}} for _ in range(8)]
        cold = burst(sim, eight)
        assert [answer.status for answer in cold] == recorded_statuses("conc_q2_cold_n8")
        assert all(answer.json()["load_duration"] > 300e6 for answer in cold if answer.status == 200)
        assert {answer.body for answer in cold if answer.status == 503} == {
            parse(capture("conc_q2_cold_n8_3")["response_latin1"].encode("latin-1")).body
        }
        warm = burst(sim, eight)
        assert [answer.status for answer in warm] == recorded_statuses("conc_q2_warm_n8")
        assert all(answer.json()["load_duration"] < 300e6 for answer in warm)  # no load is in it
        contexts = [{**body, "options": {"num_predict": 2, "num_ctx": 512 + at}} for at, body in enumerate(eight)]
        assert [answer.status for answer in burst(sim, contexts)] == recorded_statuses("conc_q2_numctx_n8")
        sim.post("/api/generate", {"model": "sim"})
        mixed = [{"model": ("sim", "sim-tools")[at % 2], "options": {"num_predict": 12}} for at in range(10)]
        swapped = burst(sim, mixed)
        assert [answer.status for answer in swapped] == recorded_statuses("swap_queue2")
        loads = [answer.json()["load_duration"] for answer in swapped if answer.status == 200]
        assert sorted(load > 300e6 for load in loads) == [False] * 5 + [True] * 3


def test_vectors_are_of_unit_length_and_the_same_in_every_form(sim: Simulator) -> None:
    texts = ["The sky is blue.", "Dogs bark.", "", "天空是蓝色的。"]
    batch = sim.post("/api/embed", {"model": "sim-embed", "input": texts}).json()["embeddings"]
    old = sim.post("/api/embeddings", {"model": "sim-embed", "prompt": texts[1]}).json()["embedding"]
    v1 = {"model": "sim-embed", "input": texts}
    floats = [one["embedding"] for one in sim.post("/v1/embeddings", v1).json()["data"]]
    based = [one["embedding"] for one in sim.post("/v1/embeddings", {**v1, "encoding_format": "base64"}).json()["data"]]
    assert [list(struct.unpack("<384f", base64.b64decode(one))) for one in based] == [
        [struct.unpack("<f", struct.pack("<f", value))[0] for value in vector] for vector in floats
    ]
    assert batch == floats
    assert old == pytest.approx(batch[1], rel=1e-6)
    assert len({tuple(vector) for vector in batch}) == 4
    cut = sim.post("/api/embed", {"model": "sim-embed", "input": texts[0], "dimensions": 64}).json()["embeddings"][0]
    assert len(cut) == 64
    assert cut[3] / cut[0] == pytest.approx(batch[0][3] / batch[0][0], rel=1e-5)
    for vector in (*batch, cut):
        assert math.hypot(*vector) == pytest.approx(1, abs=1e-6)


def test_what_embeddings_refuse(sim: Simulator) -> None:
    wrong = {"model": "sim-embed", "input": "x", "encoding_format": "hex"}
    assert sim.post("/v1/embeddings", wrong).status == 400
    assert sim.post("/v1/embeddings", {"model": "sim-embed", "input": [1, 2]}).status == 400
    assert sim.post("/api/embed", {"model": "sim-embed", "input": "x", "keep_alive": "soon"}).status == 400


def test_a_batch_takes_its_tokens_time() -> None:
    with running("--prefill-tps", "1000", "--load-ms", "1") as sim:
        batch = {"model": "sim-embed", "input": ["word " * 40] * 4}
        said = [sim.post("/api/embed", batch).json()]
        while min(one["total_duration"] for one in said) > 320e6 and len(said) < 40:  # on a busy machine
            said.append(sim.post("/api/embed", batch).json())
        assert {one["prompt_eval_count"] for one in said} == {208}
        assert 200e6 < min(one["total_duration"] for one in said) < 320e6
        assert sim.stats()["vectors"] == 4 * len(said)


def test_a_registry_that_is_played(sim: Simulator) -> None:
    assert b"no such host" in sim.post("/api/pull", {"model": "reg-a"}).body
    with running("--registry", "--load-ms", "1") as able:
        steps = able.post("/api/pull", {"model": "reg-think"}).lines()
        assert [steps[0], *steps[-3:]] == [
            {"status": "pulling manifest"},
            {"status": "verifying sha256 digest"},
            {"status": "writing manifest"},
            {"status": "success"},
        ]
        layers = [step for step in steps if step["status"].startswith("pulling ") and "digest" in step]
        assert "completed" not in layers[0]
        done = [step["completed"] for step in layers[1:]]
        assert done == sorted(done)
        assert done[-1] == layers[0]["total"]
        assert able.post("/api/show", {"model": "reg-think"}).json()["capabilities"] == ["completion", "thinking"]
        assert able.post("/api/pull", {"model": "other", "stream": False}).json() == {
            "error": "pull model manifest: file does not exist"
        }
        assert able.post("/api/push", {"model": "reg-think", "stream": False}).json() == {"status": "success"}
        made = able.post("/api/create", {"model": "mine", "from": "reg-b", "stream": False})
        assert made.json() == {"status": "success"}
        assert able.generate(model="mine", limit=2).status == 200


def test_a_made_model_says_what_it_was_made_of(sim: Simulator) -> None:
    body = {"model": "mine", "from": "sim-think", "system": "Be brief.", "parameters": {"num_ctx": 1024, "stop": ["a"]}}
    assert sim.post("/api/create", {**body, "template": "{{ .System }}{{ .Prompt }}"}).lines()[-1] == {
        "status": "success"
    }
    shown = sim.post("/api/show", {"model": "mine"}).json()
    assert shown["details"]["parent_model"] == "sim-think:latest"
    assert (shown["system"], shown["template"]) == ("Be brief.", "{{ .System }}{{ .Prompt }}")
    assert 'stop                           "a"' in shown["parameters"].splitlines()
    assert shown["capabilities"] == ["completion", "thinking"]
    sim.generate(model="mine", limit=2)
    sim.generate(model="sim-think", limit=2, keep_alive=0)
    verbose = sim.post("/api/show", {"model": "mine", "verbose": True}).body
    assert len(verbose) > 20 * len(json.dumps(shown))
    sim.post("/api/copy", {"source": "mine", "destination": "twin"})
    digests = {one["name"]: one["digest"] for one in sim.ask("GET", "/api/tags").json()["models"]}
    assert digests["twin:latest"] == digests["mine:latest"] != digests["sim-think:latest"]
    for name in ("mine", "twin"):
        assert sim.ask("DELETE", "/api/delete", json.dumps({"model": name}).encode()).status == 200


def test_blobs_are_checked(sim: Simulator) -> None:
    wrong = sim.ask("POST", "/api/blobs/sha256:" + "0" * 64, b"x" * 3_000_000)
    assert wrong.status == 400
    assert wrong.json()["error"].startswith(f'digest mismatch, expected "sha256:{"0" * 64}", got "sha256:')


def test_who_is_let_in(sim: Simulator) -> None:
    for host in ("localhost:11434", "127.0.0.1", "192.168.1.7:11434", "box.local", "[::1]:80"):
        assert sim.ask("GET", "/api/version", None, {"Host": host}).status == 200, host
    local = {"Origin": "http://localhost:3000"}
    preflight = sim.ask("OPTIONS", "/api/chat", None, {**local, "Access-Control-Request-Method": "POST"})
    assert (preflight.status, preflight.headers["access-control-allow-origin"]) == (204, local["Origin"])
    assert preflight.headers["access-control-max-age"] == "43200"


def test_a_model_too_big_for_the_memory_is_refused_in_ollamas_words() -> None:
    with running("--models", "big=40gb,sim", "--memory", "8gb", "--load-ms", "1", "--vram", "0.5") as sim:
        refused = sim.post("/api/generate", {"model": "big", "prompt": "x", "stream": False})
        assert refused.status == 500
        assert refused.json()["error"].startswith("model requires more system memory (37.3 GiB) than is available")
        sim.generate(limit=1)
        (entry,) = sim.ask("GET", "/api/ps").json()["models"]
        assert entry["size_vram"] * 2 == entry["size"] > 800_000_000
        assert entry["context_length"] == 4096


def test_streams_are_not_held_up_by_what_others_ask(sim: Simulator) -> None:
    with running("--decode-tps", "100", "--output-tokens", "300", "--output-cv", "0", "--load-ms", "1") as busy:
        with ThreadPoolExecutor(4) as pool:
            streams = [pool.submit(busy.generate, f"prompt {number}", limit=150) for number in range(3)]
            while not all(stream.done() for stream in streams):
                busy.post("/api/embed", {"model": "sim-embed", "input": [f"text {number}" for number in range(64)]})
                busy.post("/api/show", {"model": "sim", "verbose": True})
                busy.post("/api/create", {"model": "copy", "from": "sim"})
                busy.ask("GET", "/api/tags")
        assert all(stream.result().complete for stream in streams)
        assert busy.stats()["tick_lateness"]["p50_ms"] < 100  # a step in ten, or none; behind the others, seconds
