"""A plotly figure as PNG for docs/, by headless Chromium: no package of ours draws without a browser."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=5000")


def png(figure: Any, path: Path, width: int = 900, height: int = 420) -> None:
    """Draw it; only says so where there is no Chromium."""
    chromium = shutil.which("chromium")
    if not chromium:
        print(f"bench: no chromium here, {path.name} stays as it is", file=sys.stderr)
        return
    figure.update_layout(template="plotly_white", width=width, height=height, font={"size": 13})
    figure.update_layout(margin={"l": 60, "r": 20, "t": 40, "b": 50})
    with tempfile.TemporaryDirectory() as name:
        page = Path(name) / "figure.html"
        page.write_text(
            "<body style='margin:0'>"
            + figure.to_html(full_html=False, include_plotlyjs=True, config={"staticPlot": True})
        )
        command = [chromium, *FLAGS, f"--user-data-dir={name}/profile", f"--window-size={width},{height}"]
        command += [f"--screenshot={path}", page.as_uri()]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120)
