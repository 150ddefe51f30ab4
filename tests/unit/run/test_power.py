"""What a machine says of its power: an nvidia-smi on the PATH, and RAPL's counters, which wrap."""

from pathlib import Path

import pytest

from tokenswarm.run import power
from tokenswarm.run.power import NvidiaSmi, Rapl, is_here, local
from tokenswarm.run.scraper import NoReading


def nvidia_smi(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """One on the PATH that does this."""
    folder.mkdir(exist_ok=True)
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def domain(powercap: Path, folder: str, name: str, uj: int, range_uj: int = 1_000_000) -> None:
    """A RAPL domain as the kernel has it."""
    (powercap / folder).mkdir(parents=True, exist_ok=True)
    for file, text in (("name", name), ("energy_uj", uj), ("max_energy_range_uj", range_uj)):
        (powercap / folder / file).write_text(f"{text}\n")


def test_each_gpu_of_nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nvidia_smi(tmp_path / "bin", monkeypatch, 'echo "0, 35, 1024, 71.50"; echo "1, [N/A], 2048, [N/A]"; echo "$@" >&2')
    found = {(one.metric, one.labels): one.value for one in NvidiaSmi().look()}
    assert found == {
        ("nvidia_smi_utilization_percent", "gpu=0"): 35,
        ("nvidia_smi_memory_used_bytes", "gpu=0"): 2**30,
        ("nvidia_smi_power_watts", "gpu=0"): 71.5,
        ("nvidia_smi_memory_used_bytes", "gpu=1"): 2**31,
    }


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ('echo "NVIDIA-SMI has failed because it could not communicate"; exit 9', "exit code 9: NVIDIA-SMI has failed"),
        ("echo", "no GPU"),
        ("sleep 9", "did not run: TimeoutExpired"),
        ("printf '\\377\\376'", "no GPU"),
    ],
)
def test_one_that_does_not_work_is_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, why: str
) -> None:
    monkeypatch.setattr(power, "PATIENCE_S", 0.2)
    nvidia_smi(tmp_path / "bin", monkeypatch, script)
    with pytest.raises(NoReading, match=why):
        NvidiaSmi().look()


def test_rapl_counts_packages_and_dram_and_goes_on_where_a_counter_wraps(tmp_path: Path) -> None:
    domain(tmp_path, "intel-rapl:0", "package-0", 900_000)
    domain(tmp_path, "intel-rapl:0:0", "core", 900_000)
    domain(tmp_path, "intel-rapl:0:1", "dram", 100)
    domain(tmp_path, "intel-rapl:1", "psys", 5)
    domain(tmp_path, "intel-rapl-mmio:0", "package-0", 900_000)
    rapl = Rapl(tmp_path)
    assert [one.value for one in rapl.look()] == [0, 0]
    domain(tmp_path, "intel-rapl:0", "package-0", 150_000)  # 100,000 µJ to its end, and 150,000 from there
    domain(tmp_path, "intel-rapl:0:1", "dram", 2_100)
    found = {one.labels: one.value for one in rapl.look()}
    assert found == pytest.approx(
        {"domain=package-0,path=intel-rapl:0": 0.25, "domain=dram,path=intel-rapl:0:1": 0.002}
    )
    (tmp_path / "intel-rapl:0" / "energy_uj").unlink()
    with pytest.raises(NoReading, match="energy_uj"):
        rapl.look()


def test_a_machine_has_the_sources_that_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert local(tmp_path) == []
    domain(tmp_path, "intel-rapl:0", "package-0", 1)
    assert [one.name for one in local(tmp_path)] == ["RAPL"]
    (tmp_path / "intel-rapl:0" / "energy_uj").unlink()  # as where only root may read it
    assert local(tmp_path) == []
    nvidia_smi(tmp_path / "bin", monkeypatch, "echo 0, 1, 1, 1")
    assert [one.name for one in local(tmp_path)] == ["nvidia-smi"]


def test_which_hosts_are_this_machine() -> None:
    assert is_here("127.0.0.1")
    assert is_here("localhost")
    assert not is_here("192.0.2.1")
    assert not is_here("no.such.host.invalid")
