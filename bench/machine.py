"""What a result was measured on."""

import os
import platform
import time
from importlib.metadata import version
from pathlib import Path


def facts() -> dict[str, str]:
    """CPU, cores, kernel, versions and date, as a reader of the figures wants them."""
    return {
        "cpu": _first("/proc/cpuinfo", "model name") or platform.processor() or platform.machine(),
        "cores": str(os.cpu_count()),
        "memory": f"{int((_first('/proc/meminfo', 'MemTotal') or '0 kB').split()[0]) / 2**20:.1f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "locust": version("locust"),
        "gevent": version("gevent"),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }


def _first(path: str, name: str) -> str | None:
    """The value of the first `name : value` line of a file."""
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), None)
