"""`make audit`: known vulnerabilities of the packages in the lock files, by pip-audit and PyPI's advisories.

pip-audit itself says "No known vulnerabilities found" where it could ask about none of them; this does not.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60
TOOL = ROOT / ".venv" / "audit" / "bin" / "pip-audit"
LOCKS = ("requirements-dev.lock", "requirements-llama.lock")  # each holds all of requirements.lock, too


@dataclass(frozen=True, slots=True)
class Audit:
    """Of one lock file: a line a vulnerability, how many packages were asked about, and which could not be."""

    found: tuple[str, ...]
    asked: int
    unknown: tuple[str, ...]


def read(report: dict[str, Any]) -> Audit:
    """pip-audit's JSON."""
    packages = report["dependencies"]
    known = [package for package in packages if "skip_reason" not in package]
    found = [
        f"{package['name']} {package['version']}: {one['id']}, mended in {', '.join(one['fix_versions']) or 'none yet'}"
        for package in known
        for one in package["vulns"]
    ]
    unknown = tuple(package["name"] for package in packages if "skip_reason" in package)
    return Audit(tuple(found), len(known), unknown)


def audit(lock: str) -> Audit:
    """Ask about all packages of a lock file; without an answer, about none. It sends names and versions."""
    options = ("--disable-pip", "--require-hashes", "--progress-spinner", "off", "--format", "json")
    command = [str(TOOL), *options, "--requirement", lock]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        return read(json.loads(done.stdout))
    except (ValueError, subprocess.TimeoutExpired) as error:
        print(f"{lock}: {error}", file=sys.stderr)
        return Audit((), 0, ("all",))


def main() -> int:
    """A line a file; exit code 1 with vulnerabilities, 3 where the advisories were not reached."""
    code = 0
    for lock in LOCKS:
        seen = audit(lock)
        print(f"{lock}: {len(seen.found)} vulnerabilities in {seen.asked} packages", *seen.found, sep="\n  ")
        if seen.unknown:
            print(f"  NOT audited, since PyPI's advisories gave no answer: {', '.join(seen.unknown)}")
        code = 1 if seen.found or code == 1 else 3 if seen.unknown else code
    return code


if __name__ == "__main__":
    sys.exit(main())
