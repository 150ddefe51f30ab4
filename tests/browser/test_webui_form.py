"""The web form through Locust's own HTTP interface: what is checked, what is kept, and who gets the key."""

import json
import socket
import time
from pathlib import Path

import requests
from locust_process import folder, processes
from scripted import Script, request, serving, whole
from simulator_process import Simulator, running
from web_form import start, wait_for_runs
from web_run import web

KEY = "sk-very-secret-9012"


def test_an_empty_form_keeps_the_key_and_finds_the_model_and_a_second_run_has_its_own_folder(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    options = ("--openai-only", "--api-key", KEY, "--models", "only")
    # A server with just one model beside the misbehaving ones: named once, by the command line.
    with running(*options) as simulator, web(simulator, runs, "--api-key", KEY, "--no-report") as url:
        bad = start(url, model="only:latest", max_tokens="0")
        assert bad == {"success": False, "message": "--max-tokens: ▸0◂ is too small or too large; give a whole number "
                       "of tokens, 1 or more", "host": bad["host"]}  # fmt: skip
        bad = start(url, model="only:latest", options="temprature=0")
        assert "takes no option temprature; did you mean temperature?" in bad["message"]
        assert "--history: ▸me◂ is no choice; give one of own, file" in start(url, history="me")["message"]
        assert start(url, model="only:latest", options='seed=7, stop=["x"]')["success"]
        bad = start(url, model="only:latest", warm_requests="x")  # which would change the run that goes on
        assert "--warm-requests: ▸x◂ is no number" in bad["message"]
        wait_for_runs(runs, 1, url)
        again = start(url, model="only:latest", max_tokens="6")
        assert again["success"], again
        wait_for_runs(runs, 2)
    for path in runs.iterdir():
        text = (path / "requests.csv").read_text()
        assert ",ok," in text
        assert "http_error" not in text
        assert "/api/" not in text
        run = json.loads((path / "run.json").read_text())
        assert run["target"]["model"] == "only:latest"
        assert run["workers"][0]["loop_lag_ms_max"] >= 0
        assert KEY not in json.dumps(run)


def test_without_a_login_nothing_of_the_form_is_looked_at(tmp_path: Path) -> None:
    with running() as simulator, web(simulator, tmp_path / "runs", TOKENSWARM_WEB_PASSWORD="pw") as url:
        answer = requests.post(f"{url}/swarm", data={"host": "http://127.0.0.1:9"}, timeout=10, allow_redirects=False)
        assert answer.status_code == 302
        assert "success" not in answer.text


def test_what_was_given_for_one_server_goes_to_no_other(tmp_path: Path) -> None:
    """A form can name any host; the key and the headers of the command line are not for it."""
    heard: dict[str, list[bytes]] = {"stranger": [], "own": []}

    def server(who: str) -> Script:
        def answer(sock: socket.socket) -> None:
            while said := request(sock):
                heard[who].append(said)
                sock.sendall(_one_model(said))

        return answer

    gateway, typed = "gw-value-of-the-gateway-4711", "sk-typed-for-the-stranger"
    given = ("--header", f"X-Gateway: {gateway}", "--header", f"Cookie: session={gateway}", "--no-report")
    runs = tmp_path / "runs"
    with serving(server("own")) as own, serving(server("stranger")) as port:
        simulator, there = Simulator(None, f"http://127.0.0.1:{own}"), f"http://127.0.0.1:{port}"
        with web(simulator, runs, *given, *processes(2), OPENAI_API_KEY=KEY) as url:
            for host in (there, simulator.url):  # the list of models that the form offers
                sent = {"host": host, "api_key": ""}
                assert requests.post(f"{url}/tokenswarm/models", sent, timeout=10).json() == {"models": ["the-one"]}
            for number, fields in enumerate(({"host": there}, {"host": there, "api_key": typed}, {}), start=1):
                assert start(url, **fields)["success"]
                if number == 1:  # a run that goes on keeps its server, also for workers that join it
                    time.sleep(1)
                    assert start(url, host=simulator.url)["host"] == there
                wait_for_runs(runs, number, url)
            for field in ("header", "run_dir", "ca_cert", "expect", "api_key_file", "insecure"):
                said = start(url, **{field: "x"})
                assert (said["success"], f"the form has no field {field};" in said["message"]) == (False, True)
            sent = {"data": json.dumps({"user_class_name": "OpenAIChatUser", "api": 1}), "timeout": 10}
            assert requests.post(f"{url}/user", **sent).status_code == 400
    strangers, ours = b"".join(heard["stranger"]), b"".join(heard["own"])
    assert strangers.count(b"POST /v1/chat/completions") > 2
    assert ours.count(b"POST /v1/chat/completions") > 2
    assert KEY.encode() not in strangers
    assert gateway.encode() not in strangers
    assert typed.encode() in strangers
    assert typed.encode() not in ours
    for said in heard["own"]:
        assert KEY.encode() in said
        assert said.count(gateway.encode()) == 2
    told = [json.loads((path / "run.json").read_text()) for path in sorted(runs.glob("2*"))]
    found = [{each["rule"] for each in run["validity"]["findings"]} for run in told]
    assert ["other host" in rules for rules in found] == [True, True, False]


def test_a_key_in_the_address_is_not_shown_and_comes_back_from_the_page(tmp_path: Path) -> None:
    heard: list[bytes] = []

    def answer(sock: socket.socket) -> None:
        while said := request(sock):
            heard.append(said)
            sock.sendall(_one_model(said))

    with serving(answer) as own, serving(answer) as stranger:
        simulator = Simulator(None, f"http://127.0.0.1:{own}/v1?api-key={KEY}")
        with web(simulator, tmp_path / "runs", "--no-report") as url:
            page = requests.get(url, timeout=10).text
            assert KEY not in page
            assert f"http://127.0.0.1:{own}/v1?api-key=[secret]" in page
            for number, host in enumerate(
                (f"http://127.0.0.1:{own}/v1?api-key=[secret]", f"http://127.0.0.1:{own}"), 1
            ):
                assert start(url, host=host)["success"]
                wait_for_runs(tmp_path / "runs", number, url)
            mine = len(heard)
            start(url, host=f"http://127.0.0.1:{stranger}")
    assert mine > 4
    assert all(f"?api-key={KEY} HTTP".encode() in said.partition(b"\r\n")[0] for said in heard[:mine])
    assert len(heard) > mine
    assert KEY.encode() not in b"".join(heard[mine:])
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path


def _one_model(asked: bytes) -> bytes:
    event = b'data: {"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    whole_answer = b'{"choices":[{"index":0,"message":{"content":"hi"},"finish_reason":"stop"}]}'
    if asked.startswith(b"GET /v1/models"):
        return whole(b'{"data":[{"id":"the-one"}]}', "200 OK", "Content-Type: application/json\r\n")
    if asked.startswith(b"GET"):
        return whole(b"", "404 Not Found")
    if b'"stream":true' in asked:
        assert b'"model":"the-one"' in asked
        return whole(event, "200 OK", "Content-Type: text/event-stream\r\n")
    return whole(whole_answer, "200 OK", "Content-Type: application/json\r\n")


def test_a_form_without_a_model_takes_the_only_one(tmp_path: Path) -> None:
    def one_model(sock: socket.socket) -> None:
        while said := request(sock):
            sock.sendall(_one_model(said))

    with running() as simulator, serving(one_model) as port, web(simulator, tmp_path / "runs", "--no-report") as url:
        assert start(url, host=f"http://127.0.0.1:{port}/v1")["success"]
        wait_for_runs(tmp_path / "runs", 1)
    run = folder(tmp_path / "runs")
    assert run.run["target"]["host"] == f"http://127.0.0.1:{port}"
    assert run.run["target"]["model"] == "the-one"
    assert {row["model"] for row in run.rows} == {"the-one"}
    assert run.outcomes["ok"] > 0


def test_classes_picked_in_the_form_must_fit_the_server(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    with running("--openai-only") as simulator, web(simulator, runs, "--class-picker", "--no-report") as url:
        refused = start(url, model="sim:latest", user_classes="OllamaChatUser")
        assert "OllamaChatUser: the server speaks only /v1" in refused["message"]
        assert start(url, model="sim:latest", user_classes="OpenAIChatUser")["success"]
        wait_for_runs(runs, 1)
    assert {row["endpoint"] for row in folder(runs).rows} == {"/v1/chat/completions"}


def test_the_form_quotes_nothing_of_a_file(tmp_path: Path) -> None:
    """Who may use the form may not be who may read the files of the machine."""
    files = tmp_path / "files"
    files.mkdir()
    (files / "p.jsonl").write_text('{"prompt": "hi"}\n{"prompt": "hi", "sesame": 1}\n')
    (files / "options.jsonl").write_text('{"prompt": "hi", "id": "sesame", "options": {"num_ctx": "sesame"}}\n')
    (files / "expect.jsonl").write_text('{"prompt": "hi", "id": "sesame", "expect": {"regex": "(sesame"}}\n')
    (files / "trace.csv").write_text("at_s,prompt_tokens,output_tokens\n0,sesame,3\n")
    (files / "trace.jsonl").write_text("sesame\n")
    with running() as simulator, web(simulator, tmp_path / "runs", "--files", str(files), "--no-report") as url:
        for name, place in (("p.jsonl", ":2"), ("options.jsonl", ""), ("expect.jsonl", ""), ("trace.csv", ""),
                            ("trace.jsonl", "")):  # fmt: skip
            option = "trace" if name.startswith("trace") else "payloads"
            run_time = "" if option == "trace" else "2s"
            said = start(url, model="sim", run_time=run_time, **{option: str(files / name)})
            assert not said["success"]
            assert "sesame" not in said["message"]
            assert said["message"].endswith("cannot be used; the terminal where Locust runs says why")
            assert place in said["message"]
            assert said["message"].startswith(f"--{option}")
        assert start(url, model="sim", payloads="/etc/passwd")["message"].startswith(
            "--payloads ▸/etc/passwd◂: here it can be"
        )
    log = (tmp_path / "locust.log").read_text()
    assert log.count("error in the web form: ") == 5
    assert log.count("sesame") >= 5
