# One image for the master, its workers, headless runs and the simulator: docker build -t tokenswarm .
ARG BASE_IMAGE=python:3.11-slim-bookworm

FROM ${BASE_IMAGE} AS packages
WORKDIR /packages
COPY requirements.lock .
# What the lock file names, checked by its hashes, and nothing that would have to be compiled. Tests of packages and pip
# itself stay here.
RUN python3 -m venv /venv \
    && /venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes --only-binary=:all: -r requirements.lock \
    && rm -r /venv/lib/python3*/site-packages/pandas/tests /venv/lib/python3*/site-packages/gevent/tests \
    && /venv/bin/python -m pip uninstall --yes --quiet pip

FROM ${BASE_IMAGE}
COPY --from=packages /venv /venv
# .dockerignore lets in only what runs.
COPY . /tokenswarm
ENV PATH=/venv/bin:$PATH HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# Where locustfile.py is, so that locust finds it; runs/ and /token are for volumes. Any user may be given with --user, if
# it may write to runs/.
WORKDIR /tokenswarm
RUN python3 -m compileall -q . && install -d -o 1000 -g 1000 runs && install -d -m 1777 /token
USER 1000:1000
EXPOSE 8089 5557
# Of a master, or of a run with the web UI; other uses have one of their own, or none.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8089/login', timeout=4)"]
ENTRYPOINT ["locust"]
