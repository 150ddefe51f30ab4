"""The web UI's additions, its login, Prometheus: in the process that has the run folder, the master or the only one.

`ui` attaches them to Locust's Flask app: `doors` and `login` say who may, `page`, `tokens`, `runs` and `models` are
what is shown. `exporter` and `exposition` answer /metrics.
"""
