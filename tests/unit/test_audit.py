"""The packages in the lock files have no known vulnerability, as far as somebody can be asked."""

import os

import pytest
from audit import LOCKS, TOOL, Audit, audit, read

SKIPPED = {"name": "blinker", "skip_reason": "Dependency not found on PyPI and could not be audited: blinker (1.9.0)"}


def test_what_was_not_audited_is_not_called_sound() -> None:
    sound = {"name": "flask", "version": "3.1.2", "vulns": []}
    one = {"id": "PYSEC-2026-1", "fix_versions": ["2.6.1", "3.0"], "aliases": [], "description": "…"}
    bad = {"name": "urllib3", "version": "2.6.0", "vulns": [one, {**one, "id": "PYSEC-2026-2", "fix_versions": []}]}
    assert read({"dependencies": [SKIPPED], "fixes": []}) == Audit((), 0, ("blinker",))
    assert read({"dependencies": [sound, bad, SKIPPED], "fixes": []}) == Audit(
        ("urllib3 2.6.0: PYSEC-2026-1, mended in 2.6.1, 3.0", "urllib3 2.6.0: PYSEC-2026-2, mended in none yet"),
        2,
        ("blinker",),
    )


@pytest.mark.parametrize("lock", LOCKS)
def test_no_locked_package_has_a_known_vulnerability(lock: str) -> None:
    if not TOOL.exists():
        assert os.environ.get("CI") != "true", f"no {TOOL}: see the Makefile's rule for it"
        pytest.skip("pip-audit is not installed here: make audit installs it")
    seen = audit(lock)
    assert not seen.found
    if seen.unknown:
        pytest.skip(f"PyPI's advisories are not reached from here: {len(seen.unknown)} packages were not audited")
