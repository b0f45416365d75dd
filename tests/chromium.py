"""A real headless Chromium, driven by its DevTools protocol through two pipes: no driver and no port is needed."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions", "--mute-audio",
    "--no-first-run", "--disable-background-networking", "--remote-debugging-pipe", "--window-size=1200,1100",
)  # fmt: skip
_KEYS = {" ": ("Space", 32), "ArrowRight": ("ArrowRight", 39), "ArrowLeft": ("ArrowLeft", 37)}
_WAIT_S = 20.0


class Browser:
    """One browser with one page.

    Args:
        folder: for its profile and for what it downloads (``downloads``).
    """

    def __init__(self, folder: Path) -> None:
        assert CHROMIUM
        self.downloads = folder / "downloads"
        self.downloads.mkdir(parents=True)
        (reads, self._commands), (self._answers, writes) = os.pipe(), os.pipe()
        command = [CHROMIUM, *_OPTIONS, f"--user-data-dir={folder / 'profile'}", "about:blank"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}

        def hand_over() -> None:
            # the protocol is spoken on the descriptors 3 and 4
            ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (reads, writes)]
            os.dup2(ends[0], 3)
            os.dup2(ends[1], 4)

        self._process = subprocess.Popen(command, preexec_fn=hand_over, pass_fds=(3, 4), **quiet)
        os.close(reads)
        os.close(writes)
        os.set_blocking(self._answers, False)
        self._number, self._left, self._session = 0, b"", ""
        self.complaints: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(self.downloads))

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(10)
        for descriptor in (self._commands, self._answers):
            os.close(descriptor)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the protocol, and its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session and not method.startswith(("Target.", "Browser.")):
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + _WAIT_S
        while True:
            answer = self._next(end)
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def _next(self, end: float) -> dict[str, Any]:
        while b"\0" not in self._left:
            try:
                self._left += os.read(self._answers, 1 << 20)
            except BlockingIOError:
                assert time.monotonic() < end, "the browser does not answer"
                time.sleep(0.005)
        message, self._left = self._left.split(b"\0", 1)
        found: dict[str, Any] = json.loads(message)
        if found.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown"):
            self.complaints.append(json.dumps(found["params"]))
        return found

    def open(self, page: Path) -> None:
        """Open a file, and wait until it is loaded."""
        self.call("Page.navigate", url=page.as_uri())
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    def value(self, expression: str) -> Any:
        """Value of an expression in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + _WAIT_S
        while not self.value(expression):
            assert time.monotonic() < end, f"never true: {expression}"
            time.sleep(0.02)

    def press(self, key: str) -> None:
        """Press a key, as a person does."""
        code, number = _KEYS[key] if key in _KEYS else (f"Key{key.upper()}", ord(key.upper()))
        named = {"key": key, "code": code, "windowsVirtualKeyCode": number}
        self.call("Input.dispatchKeyEvent", type="keyDown", **named)
        self.call("Input.dispatchKeyEvent", type="keyUp", **named)

    def click(self, selector: str) -> None:
        """Click into the middle of what a selector finds."""
        place = f"document.querySelector({json.dumps(selector)})"
        self.value(f"{place}.scrollIntoView({{block: 'center'}})")
        x, y, width, height = self.value(f"(b => [b.x, b.y, b.width, b.height])({place}.getBoundingClientRect())")
        x, y = x + width / 2, y + height / 2
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def downloaded(self, name: str) -> bytes:
        """Content of a file that the page wrote, which is taken away."""
        file, end = self.downloads / name, time.monotonic() + _WAIT_S
        while not file.exists():
            assert time.monotonic() < end, f"{name} was not written"
            time.sleep(0.02)
        content = file.read_bytes()
        file.unlink()
        return content

    def picture(self, selector: str) -> bytes:
        """PNG of what a selector finds."""
        box = f"document.querySelector({json.dumps(selector)}).getBoundingClientRect()"
        x, y, width, height = self.value(f"(b => [b.x + scrollX, b.y + scrollY, b.width, b.height])({box})")
        clip = {"x": x, "y": y, "width": width, "height": height, "scale": 1}
        return base64.b64decode(self.call("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)["data"])
