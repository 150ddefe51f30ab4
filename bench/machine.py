"""What a result was measured on."""

import os
import platform
import re
import time
from importlib.metadata import version
from pathlib import Path

import psutil

CPUS = Path("/proc/cpuinfo")


def facts() -> dict[str, str]:
    """CPU, cores, kernel, versions and date, as a reader of the figures wants them."""
    cpu = re.search(r"^model name\s*: (.*)", CPUS.read_text(), re.MULTILINE) if CPUS.exists() else None
    return {
        "cpu": cpu[1] if cpu else platform.processor() or platform.machine(),
        "cores": str(os.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / 2**30:.1f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "locust": version("locust"),
        "gevent": version("gevent"),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }
