"""What the simulator says to odd requests, as a real Ollama 0.32.15 did."""

from simulator_process import Simulator, running


def test_what_ollama_says_to_odd_requests() -> None:
    with running() as sim:
        _ask(sim)


def _ask(sim: Simulator) -> None:
    empty = sim.post("/api/show", {})
    assert (empty.status, empty.json()) == (400, {"error": "model is required"})
    missing = sim.ask("GET", "/v1/models/nope")
    assert (missing.status, missing.json()["error"]["message"]) == (404, "model 'nope:latest' not found")
    listed = sim.ask("POST", "/api/generate", b"[]")
    assert "cannot unmarshal array into Go value of type api.GenerateRequest" in listed.json()["error"]
    image = "iVBORw0KGgo="
    blind = sim.post("/api/chat", {"model": "sim", "messages": [{"role": "user", "content": "?", "images": [image]}]})
    assert (blind.status, '"message":"Multimodal' in blind.json()["error"]) == (500, True)
    assert sim.post("/api/generate", {"model": "sim", "prompt": "?", "images": [image]}).status == 400
    shown = [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{image}"}}]
    other = sim.post("/v1/chat/completions", {"model": "sim", "messages": [{"role": "user", "content": shown}]})
    assert (other.status, other.json()["error"]["type"]) == (500, "api_error")


def test_heads_as_gos_server_writes_them() -> None:
    with running("--models", "sim,a-safetensors-tools", "--load-ms", "1", "--decode-tps", "5000") as sim:
        for path, allow in (("/api/generate", "POST"), ("/api/tags", "GET, HEAD"), ("/api/delete", "DELETE")):
            asked = sim.ask("OPTIONS", path, headers={"Origin": "http://localhost"})
            assert (asked.status, asked.headers["allow"]) == (204, allow)
            assert "X-Stainless-Os" in asked.headers["access-control-allow-headers"]
        asked = {"model": "sim", "prompt": "x", "format": "xml"}
        for stream, kind in ((True, "application/json"), (False, "application/json; charset=utf-8")):
            bad = sim.post("/api/generate", {**asked, "stream": stream})
            assert (bad.status, bad.headers["content-type"]) == (500, kind)
            assert ("content-length" in bad.headers) != stream
            assert bad.json()["error"].startswith("invalid format: ")
        for tokens in (5, 900):
            limit = {"options": {"num_predict": tokens}}
            whole = sim.post("/api/generate", {"model": "sim", "prompt": "x", "stream": False, **limit})
            assert ("content-length" in whole.headers) == (len(whole.body) <= 2048)
        assert len(whole.body) > 2048
        listed = {one["name"]: one for one in sim.ask("GET", "/api/tags").json()["models"]}
        assert listed["a-safetensors-tools:latest"]["capabilities"] == ["completion"]
        assert "context_length" not in listed["a-safetensors-tools:latest"]["details"]
        assert listed["sim:latest"]["details"]["context_length"] == 32768
        assert sim.post("/api/show", {"model": "a-safetensors-tools"}).json()["capabilities"] == ["completion", "tools"]
