"""What this machine itself says of its power, where it is the one under load: nvidia-smi, and RAPL by its files."""

import shutil
import socket
from pathlib import Path

import psutil
from gevent import subprocess

from tokenswarm.run.scraper import NoReading, Sample, Source

POWERCAP = Path("/sys/class/powercap")
NVIDIA_SMI = "nvidia-smi"
# What is asked of each GPU, our name of it, and what its number is multiplied by (MiB).
QUERY = {
    "utilization.gpu": ("nvidia_smi_utilization_percent", 1),
    "memory.used": ("nvidia_smi_memory_used_bytes", 1 << 20),
    "power.draw": ("nvidia_smi_power_watts", 1),
}
PATIENCE_S = 5.0
DOMAINS = ("package", "dram")  # `core` and `uncore` are parts of a package, `psys` holds all of them


def is_here(host: str) -> bool:
    """Is it this machine: by one of its own addresses?"""
    own = {address.address.partition("%")[0] for one in psutil.net_if_addrs().values() for address in one}
    try:
        found = {info[4][0] for info in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    return bool(found) and all(str(one) in own or str(one).startswith("127.") or one == "::1" for one in found)


def local(powercap: Path = POWERCAP) -> list[Source]:
    """The sources that this machine has."""
    found: list[Source] = []
    if shutil.which(NVIDIA_SMI):
        found.append(NvidiaSmi())
    rapl = Rapl(powercap)
    return [*found, rapl] if rapl.domains else found


class NvidiaSmi:
    """NVIDIA's GPUs, by the program that comes with their driver."""

    name = NVIDIA_SMI

    def look(self) -> list[Sample]:
        """Use, memory and power of each GPU. Raises NoReading."""
        asked = [NVIDIA_SMI, f"--query-gpu=index,{','.join(QUERY)}", "--format=csv,noheader,nounits"]
        try:
            done = subprocess.run(asked, capture_output=True, timeout=PATIENCE_S, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NoReading(f"it did not run: {type(error).__name__}") from None
        if done.returncode:
            first = (done.stderr or done.stdout).decode("utf-8", "replace").strip().partition("\n")[0]
            raise NoReading(f"exit code {done.returncode}: {first[:200]}")
        found = [sample for line in done.stdout.decode("utf-8", "replace").splitlines() for sample in _of_gpu(line)]
        if not found:
            raise NoReading("no GPU in what it said")
        return found

    def close(self) -> None:
        """Nothing is open."""


def _of_gpu(line: str) -> list[Sample]:
    """One line of it; what a GPU does not tell ("[N/A]") is left out."""
    index, *values = (cell.strip() for cell in line.split(","))
    found = []
    for (metric, factor), value in zip(QUERY.values(), values, strict=False):
        try:
            number = float(value) * factor
        except ValueError:
            continue
        if 0 <= number < float("inf"):
            found.append(Sample(metric, f"gpu={index}", number))
    return found


class Rapl:
    """The energy counters of the CPUs' packages and their DRAM, J since the first look, wrapped as they may be."""

    name = "RAPL"

    def __init__(self, powercap: Path = POWERCAP) -> None:
        self.domains: dict[str, tuple[Path, float]] = {}  # by name and place: counter, its range in µJ
        self._last_uj: dict[str, float] = {}
        self._sum_uj: dict[str, float] = {}
        for folder in sorted(powercap.glob("intel-rapl:*")):
            try:
                name = (folder / "name").read_text().strip()
                range_uj = float((folder / "max_energy_range_uj").read_text())
                (folder / "energy_uj").read_text()  # root's alone on most machines
            except (OSError, ValueError):
                continue
            if name.startswith(DOMAINS):
                self.domains[f"domain={name},path={folder.name}"] = (folder / "energy_uj", range_uj)

    def look(self) -> list[Sample]:
        """J of each domain since the first look. Raises NoReading."""
        found = []
        for labels, (path, range_uj) in self.domains.items():
            try:
                now_uj = float(path.read_text())
            except (OSError, ValueError) as error:
                raise NoReading(f"{path.name}: {type(error).__name__}") from None
            grown_uj = now_uj - self._last_uj.get(labels, now_uj)
            self._sum_uj[labels] = self._sum_uj.get(labels, 0.0) + grown_uj + (range_uj if grown_uj < 0 else 0)
            self._last_uj[labels] = now_uj
            found.append(Sample("rapl_energy_joules_total", labels, self._sum_uj[labels] / 1e6))
        return found

    def close(self) -> None:
        """Nothing is open."""
