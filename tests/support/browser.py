"""JupyterLab and a headless Chromium: tests see and do what a person would."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import ActionChains, Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

PICTURES = Path(__file__).parents[2] / "screenshots"
TOKEN = "letmein"
LOCK_TIMEOUT = 120
"""Seconds to wait for a page or a cell, on a machine that runs other tests at the same time."""

_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1300,1000",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # an address on the web fails at once
)  # fmt: skip


def find_chromium() -> tuple[str, str]:
    """Return the paths of Chromium and its driver. Without them the test is skipped; if ``CI`` is set, it fails."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    driver = shutil.which("chromedriver")
    if chromium and driver:
        return chromium, driver
    missing = "chromium or chromedriver is missing (on Debian: sudo apt install chromium chromium-driver)"
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)


@contextlib.contextmanager
def jupyterlab(folder: Path, private: Path, **environment: str) -> Iterator[str]:
    """Run JupyterLab in ``folder`` with its settings in ``private``; give its address, and end it with its kernels."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {f"JUPYTER_{name}_DIR": str(private / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    own |= {"IPYTHONDIR": str(private / "ipython"), "COURSE_LIB_LANG": "fr"}
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}", "--allow-root",
        "--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}", "--LabApp.expose_app_in_browser=True",
    ]  # fmt: skip
    settings = private / "config" / "lab" / "user-settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false", "checkForUpdates": false}')
    with (private / "log").open("w") as log:
        server = psutil.Popen(
            command, cwd=folder, env=os.environ | own | environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_for_answer(f"{address}/api/status?token={TOKEN}", server, private / "log")
        yield address
    finally:
        _end(server)


def _wait_for_answer(address: str, server: psutil.Popen, log: Path) -> None:
    end = time.monotonic() + LOCK_TIMEOUT
    while True:
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=LOCK_TIMEOUT):
            return
        if server.poll() is not None or time.monotonic() > end:
            pytest.fail(f"JupyterLab does not start:\n{log.read_text()[-2000:]}")
        time.sleep(0.1)


def _end(server: psutil.Popen) -> None:
    everybody = [*server.children(recursive=True), server]  # kernels are in other process groups
    server.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired, psutil.TimeoutExpired):
        server.wait(10)
    for process in everybody:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(everybody, 10)


class Browser:
    """One window of Chromium. Its methods wait until the page shows what they need."""

    def __init__(self, profile: Path) -> None:
        chromium, driver = find_chromium()
        options = ChromeOptions()
        options.binary_location = chromium
        for flag in (*_FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        self.driver = Chrome(options, Service(driver))
        self.driver.set_page_load_timeout(LOCK_TIMEOUT)

    def until(self, condition: Callable[[], Any]) -> Any:
        """Call ``condition`` until it returns something true, and return that."""
        wait = WebDriverWait(self.driver, LOCK_TIMEOUT, 0.1, (StaleElementReferenceException,))
        return wait.until(lambda _: condition(), f"nothing after {LOCK_TIMEOUT} s")

    def all(self, selector: str) -> list[WebElement]:
        """Return the elements that a CSS selector finds now."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str, text: str = "") -> WebElement:
        """Return the first visible element of a CSS selector that contains ``text``."""
        return self.until(lambda: next((e for e in self.all(selector) if e.is_displayed() and text in e.text), None))

    def press(self, *keys: str, holding: str | None = None) -> None:
        """Press keys one after another; the element with the focus gets them."""
        actions = ActionChains(self.driver)
        if holding:
            actions.key_down(holding)
        for key in keys:
            actions.send_keys(key)
        if holding:
            actions.key_up(holding)
        actions.perform()

    def picture(self, name: str) -> None:
        """Save a screenshot for people to look at."""
        PICTURES.mkdir(exist_ok=True)
        self.driver.save_screenshot(str(PICTURES / f"{name}.png"))


def contrast(element: WebElement) -> float:
    """Return the contrast of an element's lightest and darkest pixel, 1 to 21, as WCAG defines it."""
    pixels = np.asarray(Image.open(BytesIO(element.screenshot_as_png)).convert("RGB")) / 255
    linear = np.where(pixels <= 0.04045, pixels / 12.92, ((pixels + 0.055) / 1.055) ** 2.4)
    luminance = linear @ (0.2126, 0.7152, 0.0722)
    return float((luminance.max() + 0.05) / (luminance.min() + 0.05))


class Notebook:
    """A notebook that is open in JupyterLab."""

    def __init__(self, browser: Browser, address: str, name: str) -> None:
        self.browser = browser
        browser.driver.get(f"{address}/lab/tree/{name}?token={TOKEN}&reset")
        self.idle()

    def script(self, code: str, *arguments: object) -> Any:
        """Run JavaScript that can use ``app``, the notebook's ``panel`` and a function ``cell(id)``; return its value."""
        known = (
            "const app = window.jupyterapp, panel = app?.shell?.currentWidget;"
            "const cell = id => panel.content.widgets.find(c => c.model.id === id);"
        )
        return self.browser.driver.execute_script(known + code, *arguments)

    def idle(self) -> None:
        """Wait until the kernel is idle and no cell is waiting for it."""
        self.browser.until(
            lambda: self.script(
                "return panel?.sessionContext?.session?.kernel?.status === 'idle' && panel.content.widgets.length > 0"
                " && !panel.content.widgets.some(c => c.promptNode?.textContent.includes('*'))"
            )
        )

    def select(self, cell: str) -> WebElement:
        """Make a cell the active one, in command mode, and scroll to it."""
        self.script(
            "panel.content.mode = 'command'; panel.content.activeCellIndex = panel.content.widgets.indexOf(cell("
            "arguments[0])); panel.content.activate(); panel.content.scrollToItem(panel.content.activeCellIndex, 'start')",
            cell,
        )
        return self.browser.until(
            lambda: self.script("const c = cell(arguments[0]); return c.isAttached && c.node", cell)
        )

    def run(self, cell: str) -> None:
        """Run a cell with Shift and Enter."""
        self.select(cell)
        self.browser.press(Keys.ENTER, holding=Keys.SHIFT)
        self.idle()

    def write(self, cell: str, *lines: str) -> None:
        """Replace the text of a cell with the keyboard."""
        self.select(cell)
        self.browser.press(Keys.ENTER)
        self.browser.press("a", holding=Keys.CONTROL)
        for line in lines:  # the editor indents the next line
            self.browser.press(line, Keys.ENTER)
        self.browser.press(Keys.ESCAPE)

    def source(self, cell: str) -> str:
        """Return the text of a cell."""
        return str(self.script("return cell(arguments[0])?.model.sharedModel.source", cell))

    def output(self, cell: str) -> str:
        """Return the text of a cell's outputs."""
        return str(self.script("return cell(arguments[0]).outputArea.node.innerText", cell))

    def theme(self, name: str) -> None:
        """Change JupyterLab's theme."""
        self.script("app.commands.execute('apputils:change-theme', {theme: arguments[0]})", name)
        light = "false" if "Dark" in name else "true"
        self.browser.one(f"body[data-jp-theme-name='{name}'][data-jp-theme-light='{light}']")
