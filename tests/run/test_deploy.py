"""What is in deploy/ and beside it, without running it: schemas hold, ports stay on loopback, names exist."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from locust_process import ROOT
from options import parsed

from tokenswarm.metrics.catalogue import METRICS
from tokenswarm.web.doors import Door
from tokenswarm.web.exporter import _LIVE
from tokenswarm.web.exposition import LABELS, Sum, _samples

KUBERNETES = "1.34"
MANIFESTS = sorted((ROOT / "deploy/kubernetes").glob("*.yaml"))
COMPOSE = ("docker-compose.yml", "docker-compose.gpu.yml")
OURS = ("token", "master", "worker", "headless", "simulator")


def documents(kind: str = "") -> list[dict[str, Any]]:
    found = [each for path in MANIFESTS for each in yaml.safe_load_all(path.read_text())]
    return [each for each in found if kind in ("", each["kind"])]


def pods() -> list[dict[str, Any]]:
    return [each["spec"]["template"]["spec"] for each in documents() if "template" in each.get("spec", {})]


def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / COMPOSE[0]).read_text())
    return read


def fits_compose(path: Path) -> bool:
    full = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    return subprocess.run(full, capture_output=True, text=True, check=False).returncode == 0


@pytest.mark.parametrize("name", COMPOSE)
def test_a_compose_file_fits_the_specification_and_a_broken_one_does_not(name: str, tmp_path: Path) -> None:
    assert fits_compose(ROOT / name)
    broken = tmp_path / "broken.yml"
    for right, wrong in (("deploy:", "deplyo:"), ("services:", "services: []\nx-other:")):
        text = (ROOT / name).read_text()
        assert right in text
        broken.write_text(text.replace(right, wrong, 1))
        assert not fits_compose(broken), wrong


def test_compose_publishes_on_loopback_only_and_locks_every_service_in() -> None:
    services = compose()["services"]
    assert set(OURS) < set(services)
    for name, service in services.items():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), name
        assert "privileged" not in service
        assert "no-new-privileges:true" in service["security_opt"], name
        if name == "ollama":  # an image of somebody else's, which writes where it likes and takes all the CPU there is
            continue
        assert service["cap_drop"] == ["ALL"], name
        assert service["read_only"] is True, name
        assert service["deploy"]["resources"]["limits"]["memory"], name
        if name in OURS:
            assert service["user"].startswith("${TOKENSWARM_UID:-1000}"), name
        else:
            assert re.search(r":v?\d+\.\d+\.\d+$", service["image"]), name
    assert services["master"]["environment"]["TOKENSWARM_OPEN_UI"] == "true"  # its port is among those above
    secret = {"TOKENSWARM_API_KEY", "OPENAI_API_KEY", "TOKENSWARM_WORKER_TOKEN"}
    assert not [name for name, service in services.items() if secret & set(service.get("environment", {}))]


@pytest.mark.parametrize("name", COMPOSE)
def test_podman_compose_reads_it_as_a_whole(name: str, tmp_path: Path) -> None:
    podman = tmp_path / "podman"  # of which it wants to know no more than that it is there
    podman.write_text("#!/bin/sh\necho podman version 4.3.1\n")
    podman.chmod(0o755)
    full = [sys.executable, "-m", "podman_compose", "--podman-path", str(podman)]
    full += ["-f", COMPOSE[0], "-f", name, "--profile", "*", "config"]
    done = subprocess.run(full, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "127.0.0.1:8089:8089" in done.stdout


@pytest.mark.parametrize(
    "given", [{}, {"TOKENSWARM_ALLOWED_HOSTS": "gpu-box.example.com", "TOKENSWARM_MODEL": "qwen3:8b"}]
)
@pytest.mark.parametrize("name", ["master", "worker", "headless"])
def test_what_compose_gives_to_a_service_is_what_its_options_take(
    name: str, given: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (secret := tmp_path / "secret").write_text("of-many-characters-1234567890abcdef\n")
    for variable, value in compose()["services"][name]["environment"].items():
        filled = re.sub(r"\$\{(\w+):-([^}]*)\}", lambda found: given.get(found[1], found[2]), str(value))
        monkeypatch.setenv(variable, str(secret) if variable.endswith("_FILE") else filled)
    told = parsed()
    assert name != "master" or told.allowed_hosts.split(",")[0] == "master"


def test_the_dockerfile_is_clean() -> None:
    lint = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if lint is None:
        pytest.skip("hadolint is packaged for Linux on x86_64 only")
    text = (ROOT / "Dockerfile").read_text()

    def complaints(dockerfile: str) -> str:
        done = subprocess.run([lint, "--no-color", "-"], input=dockerfile, capture_output=True, text=True, check=False)
        return done.stdout

    assert complaints(text) == ""
    assert "DL3002" in complaints(text.replace("USER 1000:1000", "USER root"))
    assert "--require-hashes" in text
    assert "HEALTHCHECK" in text


def test_the_image_gets_nothing_but_what_runs() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert next(line for line in lines if not line.startswith("#")) == "*"
    let_in = {line[1:] for line in lines if line.startswith("!")}
    rooms = {"payloads", "users", "reports", "tokenswarm"}
    assert let_in == {*rooms, "locustfile.py", "requirements.lock"}


def test_no_image_names_a_registry() -> None:
    text = "\n".join(path.read_text() for path in (*MANIFESTS, ROOT / "Dockerfile", ROOT / COMPOSE[0]))
    images = re.findall(r"(?:image|BASE_IMAGE)[:=] ?(?:\$\{BASE_IMAGE:-)?([\w./:-]+)", text)
    assert len(images) >= 8
    assert not [name for name in images if re.search(r"[.:]", name.partition("/")[0]) and "/" in name]


def test_the_manifests_fit_their_schemas_and_broken_ones_do_not() -> None:
    assert {each["kind"] for each in documents()} == {
        *("Deployment", "Service", "Job", "NetworkPolicy", "ConfigMap", "PersistentVolumeClaim")
    }
    for each in documents():
        kubernetes_validate.validate(each, KUBERNETES, strict=True)
    for path, wrong in ((("spec", "replicas"), "four"), (("spec", "replcias"), 4), (("spec", "selector"), [])):
        broken = documents("Deployment")[0]
        inner: Any = broken
        for name in path[:-1]:
            inner = inner[name]
        inner[path[-1]] = wrong
        with pytest.raises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(broken, KUBERNETES, strict=True)


def test_no_pod_is_root_or_may_become_it() -> None:
    assert len(pods()) == 3
    for pod in pods():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        (container,) = pod["containers"]
        held = container["securityContext"]
        assert (held["allowPrivilegeEscalation"], held["readOnlyRootFilesystem"]) == (False, True)
        assert held["capabilities"] == {"drop": ["ALL"]}
        assert {"cpu", "memory"} <= set(container["resources"]["requests"])
        # Secrets are files; none is an environment variable.
        assert all("_FILE" in each["name"] for each in container.get("env", []))
        mounted = {each["name"] for each in container["volumeMounts"]}
        assert mounted == {each["name"] for each in pod["volumes"]}


def test_the_web_ui_of_a_cluster_has_a_login_and_is_known_by_the_services_name() -> None:
    (master,) = (pod for pod in pods() if "--master" in pod["containers"][0]["args"])
    (container,) = master["containers"]
    assert "--web-host=0.0.0.0" in container["args"]  # so that it ends where the password is empty
    assert "TOKENSWARM_WEB_PASSWORD_FILE" in {each["name"] for each in container["env"]}
    (settings,), (service,) = documents("ConfigMap"), documents("Service")
    assert "TOKENSWARM_OPEN_UI" not in settings["data"]
    assert settings["data"]["TOKENSWARM_ALLOWED_HOSTS"] == service["metadata"]["name"]
    scraped = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"][0]
    (target,) = scraped["static_configs"][0]["targets"]
    allowed = compose()["services"]["master"]["environment"]["TOKENSWARM_ALLOWED_HOSTS"]
    assert Door("", allowed.replace("${TOKENSWARM_ALLOWED_HOSTS:-}", "")).knows(target)


def test_only_workers_reach_the_masters_port() -> None:
    policies = {each["metadata"]["name"]: each["spec"] for each in documents("NetworkPolicy")}
    labels = {
        each["metadata"]["name"]: each["spec"]["template"]["metadata"]["labels"] for each in documents("Deployment")
    }
    master = policies["tokenswarm-master"]
    assert master["podSelector"]["matchLabels"] == labels["tokenswarm-master"]
    let_in = {rule["ports"][0]["port"]: rule["from"] for rule in master["ingress"]}
    assert set(let_in) == {5557, 8089}
    assert let_in[5557] == [{"podSelector": {"matchLabels": labels["tokenswarm-worker"]}}]
    assert let_in[8089] == [{"podSelector": {"matchLabels": {"tokenswarm/ui": "allowed"}}}]
    assert "ingress" not in policies["tokenswarm-others"]
    (service,) = documents("Service")
    assert service["spec"]["selector"] == labels["tokenswarm-master"]
    (worker,) = (pod for pod in pods() if "--worker" in pod["containers"][0]["args"])
    assert service["metadata"]["name"] in worker["containers"][0]["args"]


def test_the_dashboard_shows_what_there_is() -> None:
    board = json.loads((ROOT / "deploy/grafana/dashboards/tokenswarm.json").read_text())
    alerts = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"][0]["rules"]
    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    expressions = " ".join([*queries, *(rule["expr"] for rule in alerts)])
    shown = set(re.findall(r"tokenswarm_(\w+)", expressions))
    there = {"requests_total", "users", "run_info", "output_tokens_made_per_second", "stage", "findings"}
    there |= {"run_valid", "run_left_seconds", *(name for name, *_ in _LIVE)}
    there |= {f"{name}_p{percent}_seconds" for name in ("ttft", "tpot", "itl", "e2e") for percent in (50, 95)}
    for metric in METRICS:
        name, samples = _samples(metric, [(("e", "m", "ok")[: len(LABELS)], Sum(count=1))])
        there |= {name + suffix for suffix, _, _ in samples}
    health = (ROOT / "tokenswarm/transport/health.py").read_text()
    lags = {"worker_loop_lag_p99_seconds"}
    there |= {f"worker_{name}" for name in re.findall(r'^            "(\w+)":', health, re.MULTILINE)} | lags
    assert len(shown) > 12
    assert shown <= there, shown - there
    # It imports into any Grafana: the data source is chosen there, as is the run.
    variables = {one["name"]: one for one in board["templating"]["list"]}
    assert (variables["datasource"]["type"], variables["run"]["type"]) == ("datasource", "query")
    notes = board["annotations"]["list"]
    assert [note["name"] for note in notes] == ["begin", "stage", "end"]
    assert {part["datasource"]["uid"] for part in (*board["panels"], *notes, variables["run"])} == {"${datasource}"}
    assert all('run=~"$run"' in target["expr"] for panel in board["panels"] for target in panel["targets"])


def test_prometheus_takes_the_alert_rules() -> None:
    if not shutil.which("promtool"):
        assert os.environ.get("CI") != "true", "no promtool: apt-get install prometheus"
        pytest.skip("no promtool: apt-get install prometheus")
    full = ["promtool", "check", "rules", str(ROOT / "deploy/prometheus/alerts.yml")]
    done = subprocess.run(full, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
