"""A browser driven over the WebDriver protocol (W3C), with nothing but Python's own library."""
import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

KEYS = {"enter": "\ue007", "escape": "\ue00c", "tab": "\ue004", "left": "\ue012", "up": "\ue013", "right": "\ue014",
        "down": "\ue015", "shift": "\ue008", "control": "\ue009", "space": " ", "home": "\ue011", "end": "\ue010", "backspace": "\ue003"}


def missing():
    """What is not installed of what this needs."""
    return [name for name in ("chromium", "chromedriver") if not shutil.which(name)]


class Browser:
    """One window of Chromium without a screen, which keeps every request and every message of the console."""

    def __init__(self, dark=False, size=(1280, 800)):
        self.folder = tempfile.mkdtemp(prefix="deepmcat-browser-")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.driver = subprocess.Popen(["chromedriver", f"--port={self.port}"], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL, start_new_session=True)
        self.base = f"http://127.0.0.1:{self.port}"
        deadline = time.time() + 60
        while True:
            try:
                self.send("GET", "/status")
                break
            except OSError:
                if time.time() > deadline:
                    raise
                time.sleep(0.1)
        arguments = ["--headless=new", "--disable-gpu", "--hide-scrollbars", "--disable-background-networking",
                     "--no-first-run", "--disable-dev-shm-usage", f"--user-data-dir={self.folder}", f"--window-size={size[0]},{size[1]}"]
        if os.geteuid() == 0:
            arguments.append("--no-sandbox")
        if dark:
            arguments.append("--force-dark-mode")
        capabilities = {"browserName": "chrome", "goog:chromeOptions": {"args": arguments},
                        "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}
        self.base += "/session/" + self.send("POST", "/session", {"capabilities": {"alwaysMatch": capabilities}})["sessionId"]
        self.resize(*size)
        self.scheme("dark" if dark else "light")
        self.pressed = 0
        self.go("about:blank")
        self.requests()  # those of the page that a new window shows

    def send(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"content-type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(json.load(error)["value"]["message"].splitlines()[0]) from None

    def devtools(self, command, **parameters):
        return self.send("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def resize(self, width, height):
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def scheme(self, name, media=""):
        self.devtools("Emulation.setEmulatedMedia", media=media,
                      features=[{"name": "prefers-color-scheme", "value": name}])

    def go(self, address):
        self.send("POST", "/url", {"url": address})

    def run(self, script, *arguments):
        return self.send("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def run_async(self, script, *arguments):
        return self.send("POST", "/execute/async", {"script": script, "args": list(arguments)})

    def press(self, *keys, holding=()):
        """Presses keys one after the other, each counted; those of `holding` are held and count too."""
        actions = [{"type": "keyDown", "value": KEYS.get(key, key)} for key in holding]
        for key in keys:
            actions += [{"type": what, "value": KEYS.get(key, key)} for what in ("keyDown", "keyUp")]
        actions += [{"type": "keyUp", "value": KEYS.get(key, key)} for key in holding]
        self.send("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})
        self.pressed += len(keys) + len(holding)

    def click(self, selector, right=0, down=0, kind="mouse"):
        """Clicks an element, so far from its middle; `kind` may be touch."""
        element = self.send("POST", "/element", {"using": "css selector", "value": selector})
        actions = [{"type": "pointerMove", "duration": 0, "origin": element, "x": right, "y": down},
                   {"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]
        self.send("POST", "/actions", {"actions": [
            {"type": "pointer", "id": kind, "parameters": {"pointerType": kind}, "actions": actions}]})

    def wheel(self, selector, down):
        """Turns the wheel over the middle of an element."""
        element = self.send("POST", "/element", {"using": "css selector", "value": selector})
        self.send("POST", "/actions", {"actions": [{"type": "wheel", "id": "wheel", "actions": [
            {"type": "scroll", "origin": element, "x": 0, "y": 0, "deltaX": 0, "deltaY": down, "duration": 0}]}]})

    def drag(self, selector, right, down):
        """Presses the mouse in the middle of an element and moves it."""
        element = self.send("POST", "/element", {"using": "css selector", "value": selector})
        move = {"type": "pointerMove", "duration": 50}
        actions = [{**move, "origin": element, "x": 0, "y": 0}, {"type": "pointerDown", "button": 0},
                   {**move, "origin": "pointer", "x": right, "y": down}, {"type": "pointerUp", "button": 0}]
        self.send("POST", "/actions", {"actions": [{"type": "pointer", "id": "mouse", "actions": actions}]})

    def until(self, script, *arguments, seconds=60):
        """What the script returns as soon as that is true."""
        deadline = time.time() + seconds
        while True:
            found = self.run(script, *arguments)
            if found:
                return found
            if time.time() > deadline:
                raise AssertionError(f"not within {seconds} s: {script}")
            time.sleep(0.01)

    def screenshot(self, path):
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.send("GET", "/screenshot")))

    def console(self):
        """Warnings and errors of the console since the last call."""
        return [entry for entry in self.send("POST", "/se/log", {"type": "browser"}) if entry["level"] in ("WARNING", "SEVERE")]

    def requests(self):
        """Addresses asked for since the last call."""
        found = []
        for entry in self.send("POST", "/se/log", {"type": "performance"}):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                found.append(message["params"]["request"]["url"])
        return found

    def close(self):
        try:
            self.send("DELETE", "")
        finally:
            os.killpg(self.driver.pid, signal.SIGTERM)
            self.driver.wait()
            shutil.rmtree(self.folder, ignore_errors=True)
