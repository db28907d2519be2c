"""The page as a browser draws it: nothing empty, nothing cut, no error on the console."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib import image

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome") or ""

pytestmark = [
    pytest.mark.tf,
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM, reason="no chromium here: apt install chromium"),
]

HEIGHT = 5000
WIDTHS = {"desktop": 1200, "phone": 390, "paper": 703}  # the last: A4 without its margins
SCREENS = ("desktop", "phone")
SCHEMES = {"light": 1, "dark": 0}
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr")

# A headless window is at least 500 points wide, so the page stands in a frame.
FRAME = """<!doctype html><style>body {{ margin: 0 }} iframe {{ border: 0; display: block }}</style>
<iframe width="{width}" height="{height}" srcdoc="{page}"></iframe>"""
MEASURE = """<script>
addEventListener("load", () => {
  const box = element => { const r = element.getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom]; };
  const place = parent.document.createElement("pre");
  place.id = "measured";
  place.textContent = JSON.stringify({
    width: document.documentElement.clientWidth,
    scrollWidth: document.documentElement.scrollWidth,
    paper: getComputedStyle(document.body).backgroundColor,
    figures: [...document.querySelectorAll("figure")].map(figure => ({
      title: figure.getAttribute("aria-label"),
      svg: box(figure.querySelector("svg")),
      texts: [...figure.querySelectorAll("svg text")].map(text => ({
        text: text.textContent, box: box(text), colour: getComputedStyle(text).fill,
        pixels: parseFloat(getComputedStyle(text).fontSize) * figure.querySelector("svg").getScreenCTM().a,
      })),
    })),
  });
  parent.document.body.append(place);
});
</script>"""


class Browser:
    """Headless Chromium on one page."""

    def __init__(self, page: str, folder: Path, size: str, scheme: str = "light") -> None:
        self.console: list[str] = []
        self._page = folder / "frame.html"
        self._size, self._scheme = (WIDTHS[size], HEIGHT), SCHEMES[scheme]
        shown = html.escape(page.replace("</head>", f"{MEASURE}</head>"))
        self._page.write_text(FRAME.format(width=WIDTHS[size], height=HEIGHT, page=shown), encoding="utf-8")

    def layout(self) -> dict[str, Any]:
        """Where everything stands."""
        match = re.search(r'<pre id="measured">(.*?)</pre>', self._run("--dump-dom"), re.DOTALL)
        assert match is not None
        found: dict[str, Any] = json.loads(html.unescape(match[1]))
        return found

    def pixels(self) -> np.ndarray:
        """(height, width, 3), 0…1."""
        picture = self._page.with_name("page.png")
        self._run(f"--screenshot={picture}")
        return np.asarray(image.imread(picture))[:, :, :3]

    def _run(self, flag: str) -> str:
        command = [
            CHROMIUM, *FLAGS, f"--user-data-dir={self._page.parent / 'profile'}", flag,
            f"--window-size={self._size[0]},{self._size[1]}", f"--blink-settings=preferredColorScheme={self._scheme}",
            self._page.as_uri(),
        ]  # fmt: skip
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
        self.console += [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        return done.stdout


def empty_figures(layout: dict[str, Any], pixels: np.ndarray) -> list[str]:
    """Titles of the pictures without marks: marks have colours, frames and words have none."""
    found = []
    for figure in layout["figures"]:
        left, top, right, bottom = (round(edge) for edge in figure["svg"])
        part = pixels[top:bottom, left:right]
        if (part.max(axis=2) - part.min(axis=2) > 0.15).sum() < 100:
            found.append(figure["title"])
    return found


def cut_words(figure: dict[str, Any]) -> list[str]:
    """Words that reach beyond their picture."""
    left, top, right, bottom = figure["svg"]
    return [
        text["text"]
        for text in figure["texts"]
        if text["box"][0] < left - 1
        or text["box"][1] < top - 1
        or text["box"][2] > right + 1
        or text["box"][3] > bottom + 1
    ]


def words_on_words(figure: dict[str, Any]) -> list[tuple[str, str]]:
    """Pairs of words that stand on each other."""
    texts = [text for text in figure["texts"] if text["text"].strip()]
    return [
        (one["text"], other["text"])
        for number, one in enumerate(texts)
        for other in texts[:number]
        if min(one["box"][2], other["box"][2]) - max(one["box"][0], other["box"][0]) > 1
        and min(one["box"][3], other["box"][3]) - max(one["box"][1], other["box"][1]) > 4
    ]


def brightness(colour: str) -> float:
    """Return 0…1 for a colour such as `rgb(29, 31, 35)`."""
    red, green, blue = (int(part) for part in re.findall(r"\d+", colour)[:3])
    return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255


@pytest.fixture(scope="module")
def page(reported: Path) -> str:
    """The page of a whole report."""
    return (reported / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module", params=[(size, scheme) for size in SCREENS for scheme in SCHEMES], ids="-".join)
def browser(request: pytest.FixtureRequest, page: str, tmp_path_factory: pytest.TempPathFactory) -> Browser:
    """On each screen and in each scheme of colours."""
    return Browser(page, tmp_path_factory.mktemp("page"), *request.param)


@pytest.fixture(scope="module")
def layout(browser: Browser) -> dict[str, Any]:
    return browser.layout()


def test_no_picture_is_empty_and_the_console_is_silent(browser: Browser, layout: dict[str, Any]) -> None:
    assert empty_figures(layout, browser.pixels()) == []
    assert browser.console == []


def test_the_page_fits_the_screen_with_all_its_pictures(layout: dict[str, Any]) -> None:
    assert layout["scrollWidth"] <= layout["width"]
    assert len(layout["figures"]) == 6


def test_no_word_of_a_picture_is_cut_or_covered(layout: dict[str, Any]) -> None:
    assert [cut_words(figure) for figure in layout["figures"]] == [[]] * len(layout["figures"])
    assert [words_on_words(figure) for figure in layout["figures"]] == [[]] * len(layout["figures"])


def test_the_words_of_a_picture_are_large_and_dark_enough_to_read(layout: dict[str, Any]) -> None:
    paper = brightness(layout["paper"])
    for text in (text for figure in layout["figures"] for text in figure["texts"]):
        assert text["pixels"] >= 9, text
        assert abs(brightness(text["colour"]) - paper) > 0.5, text


def test_in_print_nothing_reaches_beyond_the_paper(page: str, tmp_path: Path) -> None:
    printed = page.replace("@media print", "@media all").replace("<details>", "<details open>")
    layout = Browser(printed, tmp_path, "paper").layout()
    assert layout["scrollWidth"] <= layout["width"]


def test_an_empty_picture_and_an_error_on_the_console_would_be_seen(page: str, tmp_path: Path) -> None:
    start = page.index("<svg")
    end = page.index("</svg>", start)
    bare = re.sub(r"<(path|use)[^>]*/>", "", page[start:end])
    broken = page[:start] + bare + page[end:].replace("</body>", "<script>nothing.there</script></body>")
    browser = Browser(broken, tmp_path, "desktop")
    assert empty_figures(browser.layout(), browser.pixels()) == ["Quality against size"]
    assert any("nothing is not defined" in line for line in browser.console)
