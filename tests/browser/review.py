"""A whole review in a real browser, by keyboard: python3 tests/browser/review.py RUN [--program FILE] [--screenshots FOLDER].

RUN is a finished run, which stays as it is: what is decided goes to a folder of links to it. Without Chromium and its driver it
says `skipped: ...`. With DEEPMCAT_AXE=.../axe.min.js the page is held to axe's rules too."""
import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

from webdriver import Browser, missing

SIZES = {"1280": (1280, 800), "1920": (1920, 1080), "390": (390, 844)}
IDLE = "return (document.getElementById('sheet')?.getAttribute('aria-busy') ?? 'false') === 'false'"


class Review:
    """The server on a copy of a run that holds links but for what people decide, and a browser at its page."""

    def __init__(self, run, program):
        self.folder = tempfile.TemporaryDirectory(prefix="deepmcat-review-")
        self.run = os.path.join(self.folder.name, os.path.basename(os.path.abspath(run)))
        os.mkdir(self.run)
        for name in os.listdir(run):
            if name not in ("review", "names", ".tmp", "run.toml"):
                os.symlink(os.path.abspath(os.path.join(run, name)), os.path.join(self.run, name))
        # Not a link: a file that is there.
        with open(os.path.join(run, "run.toml")) as source, open(os.path.join(self.run, "run.toml"), "w") as target:
            target.write(source.read())
        self.server = subprocess.Popen([program, self.run, "--no-open", "--author", "anna", "--quiet"],
                                       stdout=subprocess.PIPE, text=True)
        self.link = self.server.stdout.readline().strip()
        self.origin = self.link.split("/?")[0]
        self.browser = Browser()
        self.browser.go(self.link)
        self.browser.until("return document.body?.dataset.ready")
        self.idle()

    def idle(self):
        self.browser.until(IDLE)

    def press(self, *keys, holding=()):
        """One press after the other, as a person does: the page has done the last one first."""
        for key in keys:
            self.browser.press(key, holding=holding)
            self.idle()

    def get(self, address):
        return self.browser.run_async(
            "const done = arguments[1]; fetch(arguments[0]).then((answer) => answer.json()).then(done)", address)

    def state(self):
        return self.get("/api/state")

    def line(self):
        return self.browser.run("return document.getElementById('line').textContent")

    def opened(self):
        return self.browser.run("return document.querySelector('dialog[open]')?.id ?? null")

    def decisions(self):
        path = os.path.join(self.run, "review", "decisions.jsonl")
        if not os.path.exists(path):
            return []
        with open(path) as file:
            return [json.loads(line) for line in file]

    def close(self):
        self.browser.close()
        self.server.send_signal(signal.SIGINT)
        code = self.server.wait(timeout=20)
        self.folder.cleanup()
        return code


def check(true, what):
    if not true:
        raise AssertionError(what)


def name_all(review):
    """Every cluster by the name that is proposed: two presses each, three where the name is new."""
    browser, run = review.browser, review.get("/api/run")
    before, times = browser.pressed, []
    for _ in range(4 * len(run["clusters"])):
        if browser.run("return document.activeElement?.id") != "name":
            if review.state()["open"] == 0:
                break
        start = time.time()
        review.press("enter")
        times.append(time.time() - start)
    pressed, state = browser.pressed - before, review.state()
    wanted = [cluster["proposal"]["name"] for cluster in run["clusters"]]
    check([told["name"] for told in state["clusters"]] == wanted, "clusters are called otherwise than proposed")
    check(state["open"] == 0 and state["covered"] == run["images"], "not all is named")
    print(f"{len(wanted)} clusters named by {pressed} presses, {1000 * sorted(times)[len(times) // 2]:.0f} ms each (median, "
          "with the driver's own time)")
    check(pressed <= 2 * len(wanted) + len(set(wanted)) + 1, f"{pressed} presses are too many")
    check(len(review.decisions()) == len(wanted), "the log has other decisions")
    return wanted


def take_back(review, wanted):
    """Undo to the beginning and redo to the end, by keys."""
    for _ in wanted:
        review.press("z", holding=["control"])
    check(all(told["name"] is None for told in review.state()["clusters"]), "undo does not reach the beginning")
    review.press("z", holding=["control"])
    check(review.line() == "There is nothing to take back.", review.line())
    for _ in wanted:
        review.press("z", holding=["control", "shift"])
    check([told["name"] for told in review.state()["clusters"]] == wanted, "redo does not reach the end")


def move_images(review):
    """Selects images and moves them to a category; one undo takes all of them back."""
    review.browser.run("document.querySelector('#clusters button').click()")  # the largest
    review.idle()
    review.press("escape", "v", "right", "right")
    review.press("right", holding=["shift"])
    check(review.line() == "3 selected.", review.line())
    review.press("2")
    name = review.state()["categories"][1]["name"]
    check(review.line() == f"3 images are “{name}”.", review.line())
    check(len(review.browser.run("return [...document.querySelectorAll('#grid .badge')].map((one) => one.textContent)")) == 3,
          "the sheet does not show what was moved")
    review.press("a")
    check("selected" in review.line(), review.line())
    review.press("escape")
    review.press("z", holding=["control"])
    check(review.line() == f"Taken back: 3 images are “{name}”.", review.line())
    check(review.state()["clusters"][0]["own"] == 0, "moved images are still moved")


def look(review, shots):
    """Every box opens, shows something and closes."""
    browser = review.browser
    for key, box, needs in [("?", "help", "#help-rows tr"), ("h", "headers", "#headers-rows tr"),
                            ("c", "next-step", "#command"), ("i", "large", "#large-told"), ("s", "split", ".part")]:
        review.press(key)
        check(review.opened() == box, f"{key} opens {review.opened()}")
        browser.until("return document.querySelector(arguments[0])?.textContent", needs)
        shots(box)
        if box == "large":
            before = browser.run("return document.getElementById('large-title').textContent")
            review.press("down", "right", "r")
            check(browser.run("return document.getElementById('large-title').textContent") != before, "nothing moved")
            told = browser.run("return document.getElementById('large-told').textContent")
            browser.drag("#light", 60, 40)
            check(browser.run("return document.getElementById('large-told').textContent") != told, "a drag changes no window")
        if box == "split":
            review.press("3")
            check(browser.run("return document.querySelectorAll('.part').length") <= 3, "not three parts")
        review.press("escape")
        check(review.opened() is None, f"escape leaves {review.opened()}")
    review.press("f")
    check("most like image" in review.line(), review.line())
    shots("similar")
    review.press("escape")
    orders = []
    for _ in range(5):
        review.press("o")
        orders.append(browser.run("return document.getElementById('order').value"))
    check(orders == ["farthest", "random", "unsure", "subject", "nearest"], orders)


def typed_keys_do_not_act(review):
    before = len(review.decisions())
    review.press("/", "x", "m", "u", "1", "g", "j")
    check(review.browser.run("return document.getElementById('find').value") == "xmu1gj", "not typed")
    check(len(review.decisions()) == before, "a key acted while text was typed")
    review.browser.run("const box = document.getElementById('find'); box.value = ''; box.dispatchEvent(new Event('input'))")
    review.press("escape")


def stale(review):
    """Somebody else decides: the next key does nothing but show how it is now."""
    run = review.get("/api/run")
    review.browser.run_async(
        "const [last, cluster, done] = arguments; fetch('/api/decide', {method: 'POST', body: JSON.stringify({after: last,"
        " author: 'ben', do: {name: {clusters: [cluster], name: 'other'}}})}).then((answer) => done(answer.status))",
        review.state()["last"], run["clusters"][5]["number"])
    before = len(review.decisions())
    review.press("x")
    check(review.line().startswith("Somebody decided meanwhile"), review.line())
    check(len(review.decisions()) == before, "a stale page decided")
    review.press("x")
    check(len(review.decisions()) == before + 1 and "is “junk”." in review.line(), review.line())


def strange_names_stay_text(review):
    """A name that is HTML, or turns the line around, is a text like any other."""
    browser = review.browser
    browser.run("document.querySelector('#clusters button').click()")
    review.idle()
    for name in ("<img src=x onerror=alert(1)><script>alert(2)</script>", "\u202eabc \U0001f480", "x" * 200):
        review.press("j", "n")
        browser.run("const box = document.getElementById('name'); box.value = arguments[0]", name)
        review.press("enter", "enter")
        check(any(one["name"] == name for one in review.state()["categories"]), f"{name} is no category")
    check(browser.run("return document.querySelectorAll('img[src=x], #categories script, #clusters script').length") == 0,
          "a name became HTML")
    check(browser.run("return document.getElementById('categories').textContent.includes('<img src=x')"), "a name is not shown")
    wide = browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
    check(wide <= 0, f"the page is {wide} pixels too wide")


def several_slices(review):
    """An image of a series with several slices; None where no cluster's first page has one."""
    for cluster in review.get("/api/run")["clusters"]:
        for image in review.get(f"/api/sheet/{cluster['number']}/nearest/0")["images"][:20]:
            if len(review.get(f"/api/image/{image}")["slices"]) > 1:
                return image
    return None


def by_mouse_and_finger(review, image):
    """The map, the tiles, the neighbours and the wheel, for who has no keyboard."""
    browser, run = review.browser, review.get("/api/run")
    browser.run("document.querySelector('#clusters button').click()")
    review.idle()
    browser.run("document.getElementById('map').scrollIntoView()")
    box = browser.run("const box = document.getElementById('map').getBoundingClientRect(); return [box.width, box.height]")
    map_of = browser.run_async(
        "const done = arguments[0]; fetch('/api/map').then((answer) => answer.arrayBuffer()).then((bytes) => done([...new Uint16Array(bytes)]))")
    count = len(map_of) // 3
    # An image of the last cluster: where it lies on the map.
    place = len(run["clusters"]) - 1
    at = map_of[2 * count:].index(place)
    right, down = (map_of[at] / 65535 - 0.5) * box[0], (0.5 - map_of[count + at] / 65535) * box[1]
    browser.click("#map", round(right), round(down))
    review.idle()
    # Its neighbour on the map may lie nearer by a pixel.
    shown = int(browser.run("return location.hash.slice(1)"))
    check(shown != run["clusters"][0]["number"], "a click on the map goes nowhere")
    for kind in ("mouse", "touch"):
        browser.run("document.querySelector('#clusters button').click()")
        review.idle()
        before = browser.run("return document.querySelectorAll('#grid [aria-selected=true]').length")
        browser.click("#grid .tile", kind=kind)
        review.idle()
        after = browser.run("return document.querySelectorAll('#grid [aria-selected=true]').length")
        check(after == before + 1, f"{kind} selects no image")
        review.press("escape")
    first = browser.run("return [...document.querySelectorAll('#clusters button')].find((one) => one.offsetParent).textContent")
    browser.click("#neighbours li:nth-child(2) button")
    review.idle()
    check(browser.run("return document.querySelector('#neighbours li:nth-child(2) button').ariaPressed") == "true",
          f"a click chooses no neighbour of {first}")
    # The slices of the first series that has several.
    if image is None:
        print("no series has several slices: the wheel is not tried")
    else:
        browser.go(f"{review.origin}/")
        browser.until("return document.body?.dataset.ready")
        cluster = review.get(f"/api/image/{image}")["cluster"]
        sheet = review.get(f"/api/sheet/{cluster}/nearest/0")["images"]
        if image in sheet:
            browser.go(f"{review.origin}/#{cluster}")
            browser.run("location.reload()")
            browser.until("return document.body?.dataset.ready")
            review.idle()
            browser.run("document.querySelector(arguments[0]).dispatchEvent(new MouseEvent('dblclick', {bubbles: true}))",
                        f'#grid [data-place="{sheet.index(image)}"]')
            review.idle()
            title = browser.run("return document.getElementById('large-title').textContent")
            slices = review.get(f"/api/image/{image}")["slices"]
            browser.wheel("#light", 120 if slices.index(image) + 1 < len(slices) else -120)
            review.idle()
            check(browser.run("return document.getElementById('large-title').textContent") != title, "the wheel shows no other slice")
            review.press("escape")


def two_people(review, shots):
    """What two authors call the same and what not."""
    run = review.get("/api/run")
    names = [told["name"] for told in review.state()["clusters"]]
    for place, name in [(7, names[7]), (8, "of ben alone")]:
        status = review.browser.run_async(
            "const [last, cluster, name, done] = arguments; fetch('/api/decide', {method: 'POST', body: JSON.stringify({after: last,"
            " author: 'ben', do: {name: {clusters: [cluster], name}}})}).then((answer) => done(answer.status))",
            review.state()["last"], run["clusters"][place]["number"], name)
        check(status == 200, f"ben's name: {status}")
    review.browser.run("document.querySelector('[data-act=agreement]').click()")
    review.idle()
    check(review.opened() == "agreement", f"{review.opened()} is open")
    told = review.browser.run("return document.getElementById('agreement-rows').textContent")
    check("anna and ben: 1 of 3 named by both have the same name" in told and "of ben alone" in told, told)
    shots("agreement")
    review.browser.run("document.querySelector('#agreement-rows button').click()")
    review.idle()
    check(review.opened() is None, "the row leads nowhere")


def audit(review, shots):
    """The drawn images, answered by keys."""
    browser = review.browser
    browser.go(f"{review.origin}/audit")
    browser.until("return document.body.dataset.ready")
    if not os.path.isdir(os.path.join(review.run, "audit-sample")):
        check("Nothing is drawn yet" in browser.run("return document.body.textContent"), "says nothing of a draw")
        return
    drawn = review.get("/api/audit")["drawn"]
    for key, wait in [("y", 1), ("n", 2), ("1", 3)]:
        browser.press(key)
        browser.until("return document.getElementById('told').textContent.startsWith(arguments[0])", f"{wait} of ")
    shots("audit")
    browser.press("left", "backspace")
    browser.until("return document.getElementById('told').textContent.startsWith('2 of ')")
    answers = [one["answer"] for one in review.get("/api/audit")["drawn"]]
    check(answers[:2] == ["yes", "no"] and len(answers) == len(drawn), answers)


def axe(review, scheme):
    path = os.environ.get("DEEPMCAT_AXE", "")
    if not os.path.exists(path):
        return
    with open(path) as file:
        review.browser.run(file.read())
    found = review.browser.run_async("const done = arguments[0]; axe.run().then((found) => done(found.violations))")
    told = [f"{one['id']}: {one['nodes'][0]['html'][:200]} {one['nodes'][0].get('failureSummary', '')}" for one in found]
    check(not found, f"axe, {scheme}: {told}")
    print(f"axe, {scheme}: no violation")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("run")
    parser.add_argument("--program", default="target/debug/deepmcat-review")
    parser.add_argument("--screenshots", metavar="FOLDER")
    args = parser.parse_args()
    lacking = missing()
    if lacking:
        print(f"skipped: browser: {' and '.join(lacking)} not installed (Debian: chromium, chromium-driver)")
        return 0
    review = Review(args.run, args.program)
    browser = review.browser

    def shots(name):
        if not args.screenshots:
            return
        for size, pixels in SIZES.items():
            for scheme in ("light", "dark"):
                browser.resize(*pixels)
                browser.scheme(scheme)
                time.sleep(0.3)
                browser.screenshot(os.path.join(args.screenshots, f"{name}-{size}-{scheme}.png"))
        browser.resize(*SIZES["1280"])
        browser.scheme("light")
        review.idle()

    def accessible():
        for scheme in ("light", "dark"):
            browser.scheme(scheme)
            axe(review, scheme)
        browser.scheme("light")

    try:
        timing = browser.run("return performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
        print(f"page: {timing:.0f} ms to its content, {browser.run('return performance.now() | 0')} ms to everything")
        shots("start")
        accessible()
        wanted = name_all(review)
        shots("named")
        take_back(review, wanted)
        move_images(review)
        look(review, shots)
        typed_keys_do_not_act(review)
        stale(review)
        strange_names_stay_text(review)
        shots("strange")
        two_people(review, shots)
        by_mouse_and_finger(review, several_slices(review))
        accessible()
        audit(review, shots)
        accessible()
        wrong = [entry["message"] for entry in browser.console() if "409 (Conflict)" not in entry["message"]]
        check(not wrong, f"the console says {wrong}")
        elsewhere = [url for url in browser.requests() if not url.startswith(review.origin + "/")]
        check(not elsewhere, f"the page asks elsewhere: {elsewhere[:5]}")
    finally:
        code = review.close()
    check(code == 0, f"the server ended with {code}")
    print("ok")
    return 0


if __name__ == "__main__":
    sys.exit(main())
