"""A self-signed certificate for the truth server, from the openssl command."""

import shutil
import subprocess
import sys
from pathlib import Path


def make(folder: Path) -> str:
    """Write cert.pem and key.pem (P-256, for 127.0.0.1) into a folder; give its name. SystemExit without openssl."""
    if not shutil.which("openssl"):
        sys.exit(
            "bench: there is no openssl command to make a certificate with; install it, or choose plain points only"
        )
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=truth", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"bench: openssl made no certificate: {done.stderr.strip()}")
    return str(folder)
