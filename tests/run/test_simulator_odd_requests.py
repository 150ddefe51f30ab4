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
