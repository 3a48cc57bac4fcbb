"""`feedmill demo` in a browser: a person with one love, a world that changes, and a trainer that dies."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from feedmill.testing.command_line import COMMAND
from feedmill.testing.serving import wait_for


@dataclass
class Demo:
    """A demo that is running, and what its page said and asked for that it should not."""

    url: str
    complaints: list[str] = field(default_factory=list)

    def open(self, browser: Browser | BrowserContext, width: int, height: int) -> Page:
        """The page, once it has something to show."""
        page = browser.new_page()
        page.set_viewport_size({"width": width, "height": height})
        page.on("console", lambda said: self._hear(said.type, said.text))
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("request", lambda request: self._watch(request.url))
        page.goto(self.url)
        page.get_by_test_id("card").first.wait_for(timeout=60_000)
        return page

    def _hear(self, kind: str, text: str) -> None:
        if kind == "error":
            self.complaints.append(f"console: {text}")

    def _watch(self, url: str) -> None:
        elsewhere = not url.startswith((self.url, self.url.replace("http:", "ws:"), "data:", "blob:"))
        if elsewhere:
            self.complaints.append(f"asked elsewhere: {url}")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    told = tmp_path_factory.mktemp("demo") / "stderr"
    with told.open("wb") as stderr:
        process = subprocess.Popen(
            [COMMAND, "demo", "--headless", "--json", "--port", "0", "--seed", "3"],
            stdout=subprocess.PIPE,
            stderr=stderr,
        )
    try:
        wait_for(lambda: re.search(r"http://[\d.]+:\d+", told.read_text()) or process.poll() is not None, 60)
        found = re.search(r"http://[\d.]+:\d+", told.read_text())
        assert found, told.read_text()
        yield Demo(found.group())
    finally:
        process.terminate()
        process.communicate(timeout=60)


@pytest.fixture(scope="module")
def page(demo: Demo, browser: Browser) -> Iterator[Page]:
    """The page at desktop width, when something has been learned."""
    page = demo.open(browser, 1440, 900)
    wait_for(lambda: _fact(page, "step") >= 50, 120)
    yield page
    # Its card moves for as long as it is open.
    page.close()


def test_a_person_who_likes_only_one_topic_gets_twice_as_much_of_it_after_twenty_cards(
    demo: Demo, browser: Browser, page: Page
) -> None:
    stranger = demo.open(browser.new_context(), 1440, 900)
    shown = [_shown_and_left(stranger) for _ in range(10)]
    stranger.context.close()
    loved = min(shown, key=shown.count)
    for _ in range(20):
        _shown_and_left(page, loved)
    after = [_shown_and_left(page, loved) for _ in range(10)].count(loved)
    assert after >= 2 * shown.count(loved)
    assert after >= 4, "one topic of sixteen, and nothing but it was liked"
    expect(page.get_by_test_id("why-topic")).to_have_text(_card(page).topic)
    strongest = page.locator("[data-testid=belief][data-place='0']")
    expect(strongest).to_have_attribute("data-topic", loved, timeout=10_000)


def test_a_taste_shock_turns_the_charts(page: Page) -> None:
    chart = page.get_by_test_id("chart-engagement")
    before = _engagement(page)
    page.get_by_test_id("shock-topic").select_option("cats")
    page.get_by_test_id("shock").click()
    expect(chart).to_contain_text("Everyone now wants cats", timeout=20_000)
    # What is popular is to everybody's taste, now that all tastes are one: in a copy of this world, half as much again.
    wait_for(lambda: _engagement(page)["popularity"] >= 1.3 * before["popularity"], 90)
    wait_for(lambda: _engagement(page)["feedmill"] >= 1.1 * before["feedmill"], 90)


def test_without_a_trainer_the_feed_goes_on_and_the_page_says_so(page: Page) -> None:
    state = page.get_by_test_id("trainer-state")
    page.get_by_test_id("kill-trainer").click()
    expect(state).to_have_attribute("data-state", "down", timeout=20_000)
    expect(state).to_contain_text("The trainer is down")
    for _ in range(3):
        _shown_and_left(page)
    expect(state).to_have_attribute("data-state", "back", timeout=90_000)


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
def test_nothing_is_wider_than_the_screen(demo: Demo, browser: Browser, width: int, height: int) -> None:
    page = demo.open(browser, width, height)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_the_page_complains_of_nothing_and_asks_nobody_else(demo: Demo, page: Page) -> None:
    assert _card(page).item_id
    assert demo.complaints == []


@dataclass(frozen=True)
class Held:
    """The card in hand."""

    item_id: str
    topic: str
    """What it is first about."""
    at: tuple[float, float]
    """The middle of the upper half, on the screen."""


def _card(page: Page) -> Held:
    card = page.get_by_test_id("card").first
    box = card.bounding_box()
    assert box is not None
    at = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 4)
    return Held(card.get_attribute("data-item") or "", card.get_attribute("data-topic") or "", at)


def _shown_and_left(page: Page, loved: str = "") -> str:
    """The topic of a card that is left for the next one: liked and watched to its end, or skipped at once."""
    card = _card(page)
    if card.topic == loved:
        page.mouse.dblclick(*card.at)
        page.wait_for_timeout(3_000)
    page.keyboard.press("ArrowDown")
    page.wait_for_selector(f"[data-testid=card]:not([data-item={card.item_id!r}])")
    return card.topic


def _fact(page: Page, name: str) -> int:
    """A number of the line of facts; 0 before it is known."""
    digits = re.sub(r"\D", "", page.locator(f"[data-fact={name}] dd").inner_text())
    return int(digits or 0)


def _engagement(page: Page) -> dict[str, int]:
    """What share of its feed the people of each policy watch, in percent."""
    said = page.get_by_test_id("chart-engagement").get_attribute("aria-label") or ""
    return {name: int(percent) for name, percent in re.findall(r"(\w+) (\d+)\s%", said)}
