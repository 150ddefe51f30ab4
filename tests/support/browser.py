"""Headless Chromium through its driver's own HTTP interface (W3C WebDriver), which needs no further package."""

import base64
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from locust_process import free_port

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync")
FLAGS += ("--disable-background-networking", "--disable-component-update", "--window-size=1400,1000")
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


class Browser:
    """One window."""

    def __init__(self, base: str, *flags: str) -> None:
        options = {"args": [*FLAGS, *flags]}
        capabilities = {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options}}
        self._base = base
        created = self._ask("POST", "/session", {"capabilities": capabilities})
        self._base = f"{base}/session/{created['sessionId']}"

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = requests.request(method, self._base + path, json=body if method == "POST" else None, timeout=60)
        value = answer.json()["value"]
        assert answer.ok, value
        return value

    def open(self, url: str) -> None:
        self._ask("POST", "/url", {"url": url})

    def script(self, text: str) -> Any:
        """Run JavaScript; what it returns."""
        return self._ask("POST", "/execute/sync", {"script": text, "args": []})

    def find(self, selector: str) -> str:
        """The first element of a CSS selector, waited for a minute."""
        for _ in range(600):
            found = self._ask("POST", "/elements", {"using": "css selector", "value": selector})
            if found:
                return str(found[0][ELEMENT])
            time.sleep(0.1)
        raise AssertionError(f"no {selector} on the page: {self.text()[:500]}")

    def click(self, selector: str) -> None:
        self._ask("POST", f"/element/{self.find(selector)}/click", {})

    def fill(self, selector: str, text: str) -> None:
        # Control-A first: what a script clears, the page's own state puts back.
        self._ask("POST", f"/element/{self.find(selector)}/value", {"text": f"\ue009a\ue000{text}"})

    def text(self) -> str:
        return str(self.script("return document.body.innerText"))

    def wait_for(self, words: str, seconds: float = 60) -> str:
        """Wait until the page says so; its text."""
        deadline = time.monotonic() + seconds
        while words not in (text := self.text()):
            assert time.monotonic() < deadline, f"no {words!r} in: {text[:1500]}"
            time.sleep(0.2)
        return text

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self._ask("GET", "/screenshot")))

    def devtools(self, command: str, **parameters: Any) -> Any:
        """What the DevTools protocol calls so."""
        return self._ask("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def close(self) -> None:
        self._ask("DELETE", "")


@contextmanager
def browser(*flags: str) -> Iterator[Browser]:
    """A window, by further flags; skips (in CI: fails) where Chromium and its driver are not installed."""
    driver = shutil.which("chromedriver")
    if not driver or not shutil.which("chromium"):
        if os.environ.get("CI") == "true":
            pytest.fail("chromium and chromium-driver are not installed")
        pytest.skip("chromium and chromium-driver are not installed")
    port = free_port()
    process = subprocess.Popen([driver, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    base = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                requests.get(f"{base}/status", timeout=5)
                break
            except requests.ConnectionError:
                time.sleep(0.1)
        window = Browser(base, *flags)
        try:
            yield window
        finally:  # also after a failed test: Chromium outlives its driver
            window.close()
    finally:
        process.terminate()
        process.wait()
