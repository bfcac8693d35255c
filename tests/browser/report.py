"""A report in a real browser: python3 tests/browser/report.py REPORT.html [--screenshots FOLDER].

The page asks for nothing, writes nothing to the console, is no wider than its window, and reads without script. Prints first
paint, heap, and frames a second of the map. Without Chromium and its driver it says `skipped: ...`. With
DEEPMCAT_AXE=.../axe.min.js the page is held to axe's rules too."""
import argparse
import os
import pathlib
import sys
import time

from webdriver import Browser, missing

SIZES = {"1280": (1280, 800), "1920": (1920, 1080), "390": (390, 844)}
# Zooms and moves the map by its wheel for two seconds; the frames that were drawn.
FRAMES = """const done = arguments[0], map = document.querySelector('canvas'); if (!map) return done(null);
map.scrollIntoView({block: 'center'}); const box = map.getBoundingClientRect(), start = performance.now(); let frames = 0;
const step = () => { frames += 1; map.dispatchEvent(new WheelEvent('wheel', {deltaY: frames % 40 < 20 ? -60 : 60, bubbles: true,
  cancelable: true, clientX: box.x + box.width / 2, clientY: box.y + box.height / 2}));
  performance.now() - start < 2000 ? requestAnimationFrame(step) : done(frames / 2); }; requestAnimationFrame(step);"""


def check(true, what):
    if not true:
        raise AssertionError(what)


def axe(browser, scheme):
    path = os.environ.get("DEEPMCAT_AXE", "")
    if not os.path.exists(path):
        return
    # Not a script of the page, which allows none but its own.
    browser.devtools("Runtime.evaluate", expression=pathlib.Path(path).read_text())
    found = browser.run_async("const done = arguments[0]; axe.run().then((found) => done(found.violations))")
    told = [f"{one['id']}: {one['nodes'][0]['html'][:200]} {one['nodes'][0].get('failureSummary', '')}" for one in found]
    check(not found, f"axe, {scheme}: {told}")
    print(f"axe, {scheme}: no violation")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("report", type=pathlib.Path)
    parser.add_argument("--screenshots", metavar="FOLDER")
    args = parser.parse_args()
    lacking = missing()
    if lacking:
        print(f"skipped: browser: {' and '.join(lacking)} not installed (Debian: chromium, chromium-driver)")
        return 0
    address = args.report.resolve().as_uri()
    browser = Browser()
    try:
        browser.go(address)
        browser.until("return performance.getEntriesByName('first-contentful-paint').length")
        paint = browser.run("return performance.getEntriesByName('first-contentful-paint')[0].startTime")
        heap = browser.run("return performance.memory.usedJSHeapSize")
        frames = browser.run_async(FRAMES)
        print(f"first paint {paint:.0f} ms, heap {heap / 1e6:.0f} MB, map {frames if frames is None else round(frames)} frames/s")
        headings = browser.run("return [...document.querySelectorAll('h2')].map((one) => one.textContent)")
        check(len(headings) >= 8, f"sections: {headings}")
        for size, pixels in SIZES.items():
            browser.resize(*pixels)
            wide = browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
            check(wide <= 0, f"{size}: the page is {wide} pixels too wide")
        browser.resize(*SIZES["1280"])
        for scheme in ("light", "dark"):
            browser.scheme(scheme)
            axe(browser, scheme)
            shots(browser, args.screenshots, scheme)
        browser.scheme("light", media="print")
        shots(browser, args.screenshots, "print")
        check(not browser.console(), browser.console())
        asked = [url for url in browser.requests() if url != address and not url.startswith("data:")]
        check(not asked, f"the page asks for {asked[:5]}")
        # Without script it says the same.
        browser.devtools("Emulation.setScriptExecutionDisabled", value=True)
        browser.go(address)
        browser.devtools("Emulation.setScriptExecutionDisabled", value=False)
        check(browser.run("return [...document.querySelectorAll('h2')].map((one) => one.textContent)") == headings,
              "without script there are other sections")
    finally:
        browser.close()
    print("ok")
    return 0


def shots(browser, folder, name):
    if not folder:
        return
    for size, pixels in SIZES.items():
        browser.resize(*pixels)
        height = browser.run("return document.documentElement.scrollHeight")
        for number, top in enumerate(range(0, min(height, 12 * pixels[1]), pixels[1])):
            browser.run("window.scrollTo(0, arguments[0])", top)
            time.sleep(0.2)
            browser.screenshot(os.path.join(folder, f"{name}-{size}-{number:02}.png"))
    browser.resize(*SIZES["1280"])
    browser.run("window.scrollTo(0, 0)")


if __name__ == "__main__":
    sys.exit(main())
