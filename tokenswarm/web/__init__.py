"""The web UI's additions, its login, Prometheus."""
