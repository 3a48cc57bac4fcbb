"""The page of the demonstration in a browser, over a world made by hand: see demo_page.py."""

from __future__ import annotations

import json
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

DESKTOP = {"width": 1440, "height": 900}
HAND = {"width": 390, "height": 844}


class World:
    """The process behind the page, seen from the test."""

    def __init__(self, url: str) -> None:
        self.url = url

    def anew(self) -> None:
        urllib.request.urlopen(f"{self.url}/anew").close()

    def did(self) -> list[Any]:
        with urllib.request.urlopen(f"{self.url}/did") as answer:
            return list(json.load(answer))

    def be(self, **state: Any) -> None:
        asked = urllib.parse.quote(json.dumps(state))
        urllib.request.urlopen(f"{self.url}/be?state={asked}").close()


@pytest.fixture
def world(url: str) -> World:
    world = World(url)
    world.anew()
    return world


@pytest.fixture(scope="module")
def url(serve_page: Callable[[str], AbstractContextManager[str]]) -> Iterator[str]:
    with serve_page("demo_page.py") as url:
        yield url


@pytest.fixture
def visit(browser: Browser, world: World) -> Iterator[Callable[..., Page]]:
    """`visit(**context)` opens the page in a browser of its own. What it complains of fails the test at its end."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_page(context: BrowserContext | None = None, **surroundings: Any) -> Page:
        if context is None:
            context = browser.new_context(**{"viewport": DESKTOP, **surroundings})
            contexts.append(context)
        page = context.new_page()
        own = (world.url, world.url.replace("http:", "ws:"), "data:", "blob:")
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda asked: None if asked.url.startswith(own) else complaints.append(asked.url))
        page.goto(world.url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def at(page: Page, testid: str) -> Locator:
    return page.get_by_test_id(testid)


def test_the_drawer_says_why_the_card_is_there(visit):
    page = visit()
    expect(at(page, "card")).to_have_attribute("data-topic", "cats")
    expect(at(page, "why-topic")).to_have_text("cats")
    expect(at(page, "why-title")).to_have_text("All about cats")
    expect(at(page, "why")).to_have_text("Because you watched cats.")
    expect(at(page, "why-source").locator("li")).to_have_text(["near your taste", "my own"])
    expect(at(page, "predictions").locator("dd")).to_have_text(["62 %", "8 %"])
    expect(at(page, "rank")).to_have_text("Place 2 of the page; 1,412 considered")
    expect(at(page, "beaten").locator("li")).to_have_text(["The next best0.671"])
    expect(at(page, "explored")).to_have_text("Not a try: its score took the place.")


def test_a_card_that_variety_placed_is_not_said_to_stand_there_by_its_score(visit, world):
    world.be(varied=True)
    expect(at(visit(), "explored")).to_have_text("Placed here for variety.")


def test_a_reaction_reaches_the_person_and_moves_the_beliefs(visit, world):
    page = visit()
    first = at(page, "beliefs").locator("[data-topic=cats]")
    expect(first).to_have_attribute("data-watched", "0.2500")
    at(page, "like").click()
    page.keyboard.press("ArrowDown")
    expect(at(page, "why-topic")).to_have_text("cooking")
    expect(at(page, "explored")).to_contain_text("a chance of 12 %")
    expect(first).to_have_attribute("data-watched", "0.7500")
    expect(first).to_have_attribute("data-moved", "up")
    expect(first).to_contain_text("▲ 50")
    ((visitor, item, request, actions),) = world.did()
    assert (visitor, item, request) == ("visitor-1", "item-1", "visitor-1-1")
    assert "like" in actions
    page.keyboard.press("ArrowDown")
    expect(at(page, "beliefs").locator("[data-topic=cooking]")).to_have_attribute("data-moved", "down")
    # Sixteen rows that slide to their places: the one in front is uppermost.
    expect(at(page, "belief")).to_have_count(16)
    uppermost = "() => [...document.querySelectorAll('.mill-belief')]"
    uppermost += ".sort((a, b) => a.getBoundingClientRect().y - b.getBoundingClientRect().y)"
    page.wait_for_function(f"({uppermost})().at(0).dataset.topic == 'cats'")
    page.wait_for_function(f"({uppermost})().at(-1).dataset.topic == 'cooking'")
    # Who does not see it is told the same places.
    assert page.evaluate(f"({uppermost})().map(row => row.dataset.place)") == [str(place) for place in range(16)]
    strongest = page.locator("[data-testid=belief][data-place='0']")
    expect(strongest).to_have_attribute("data-topic", "cats")
    expect(strongest).to_have_attribute("aria-posinset", "1")
    expect(strongest).to_have_attribute("aria-setsize", "16")


def test_the_charts_say_their_numbers(visit):
    page = visit()
    expect(at(page, "engagement")).to_have_text("50 %")
    expect(at(page, "lead")).to_have_text("50 % of the way from popularity to an oracle that knows every taste")
    ends = at(page, "chart-engagement").locator(".mill-end text")
    expect(ends).to_have_text(["random20 %", "popularity40 %", "oracle60 %", "Feedmill50 %"])
    expect(at(page, "age-feed")).to_contain_text("24 ms")
    expect(at(page, "age-feed")).to_contain_text("99 of 100 within 81 ms")
    expect(at(page, "age-model")).to_contain_text("180 ms")
    expect(at(page, "age-model")).to_contain_text("99 of 100 within 1.2 s")
    expect(at(page, "auc")).to_contain_text("0.731")
    expect(at(page, "sources").locator(".mill-end text")).to_have_text(["near your taste75 %", "new25 %"])
    for said in ("day 2, 10:00", "1,234", "182,331", "4,000", "40"):
        expect(at(page, "facts").get_by_text(said, exact=True)).to_be_visible()


def test_each_button_does_its_thing_to_the_chosen_topic_and_is_marked(visit, world):
    page = visit()
    at(page, "shock-topic").select_option("space")
    expect(at(page, "shock")).to_contain_text("everyone now wants space")
    for button in ("shock", "viral", "studio"):
        at(page, button).click()
        expect(at(page, "chart-engagement").get_by_text(f"{button} of space")).to_be_visible()
    assert world.did() == [["shock", "space"], ["viral", "space"], ["studio", "space"]]
    expect(at(page, "auc").locator(".mill-note")).to_have_count(3)


def test_the_drawer_says_how_soon_an_event_is_known(visit):
    page = visit()
    for name, said in (("age-state", "2 ms"), ("age-trained", "71 ms"), ("age-served", "190 ms")):
        expect(at(page, name).locator("dd")).to_have_text(said)
    expect(at(page, "held")).to_be_hidden()


def test_what_is_held_back_is_said_with_its_reasons(visit, world):
    page = visit()
    world.be(held=["like: AUC 0.512, 0.742 before"])
    expect(at(page, "held")).to_contain_text("the last good version serves: like: AUC 0.512, 0.742 before")
    expect(at(page, "trainer-state")).to_have_attribute("data-state", "held")
    world.be(held=[])
    expect(at(page, "held")).to_be_hidden()
    expect(at(page, "trainer-state")).to_have_attribute("data-state", "learning")


def test_a_trainer_that_is_killed_is_down_until_it_learns_again(visit, world):
    page = visit()
    state = at(page, "trainer-state")
    expect(state).to_have_text("The trainer is learning")
    at(page, "kill-trainer").click()
    world.be(pid=None)
    expect(state).to_have_text("The trainer is down: the feed goes on with what it has learned")
    page.keyboard.press("ArrowDown")
    expect(at(page, "why-topic")).to_have_text("cooking")
    at(page, "kill-trainer").click()
    expect(at(page, "heard")).to_contain_text("not running")
    world.be(pid=8, restarts=1)
    expect(state).to_have_attribute("data-state", "down")
    world.be(step=41)
    expect(state).to_contain_text("and has caught up")
    assert world.did()[0] == ["kill"]


def test_a_server_that_is_away_is_said_and_the_card_comes_when_it_is_back(visit, world):
    page = visit()
    expect(at(page, "why-topic")).to_have_text("cats")
    expect(at(page, "beliefs").locator("[data-topic=cats]")).to_have_attribute("data-watched", "0.2500")
    world.be(serves=False)
    page.keyboard.press("ArrowDown")
    expect(at(page, "feed-state")).to_have_attribute("data-shown", "true")
    expect(at(page, "feed-state")).to_contain_text("The server is starting again.")
    world.be(serves=True)
    expect(at(page, "why-topic")).to_have_text("cooking")
    expect(at(page, "feed-state")).to_have_attribute("data-shown", "false")


def test_a_reaction_that_is_refused_is_dropped_and_the_feed_goes_on(visit, world):
    page = visit()
    expect(at(page, "why-topic")).to_have_text("cats")
    world.be(refuses=["react"])
    page.keyboard.press("ArrowDown")
    expect(at(page, "why-topic")).to_have_text("cooking")
    expect(at(page, "feed-state")).to_have_attribute("data-shown", "false")
    assert world.did() == []


def test_a_card_that_is_refused_and_a_feed_without_items_are_said_in_words_of_their_own(visit, world):
    world.be(has_items=False)
    page = visit()
    expect(at(page, "feed-state")).to_contain_text("There is nothing to show yet.")
    world.be(has_items=True)
    expect(at(page, "why-topic")).to_have_text("cats")
    expect(at(page, "feed-state")).to_have_attribute("data-shown", "false")
    world.be(refuses=["next"])
    page.keyboard.press("ArrowDown")
    expect(at(page, "feed-state")).to_contain_text("Load the page again to go on.")
    world.be(refuses=[])
    page.reload()
    expect(at(page, "why-topic")).to_have_text("cooking")


def test_a_follow_is_told_at_once_and_still_shown_when_the_page_is_loaded_again(visit, world):
    page = visit()
    at(page, "follow").click()
    _until(lambda: world.did() == [["visitor-1", "follow", "item-1"]])
    page.reload()
    expect(at(page, "card")).to_have_attribute("data-item", "item-2")
    expect(at(page, "follow")).to_have_attribute("aria-pressed", "true")


def test_what_was_done_with_a_card_is_told_when_its_tab_is_closed(visit, world):
    page = visit()
    at(page, "save").click()
    at(page, "like").click()
    at(page, "save").click()
    expect(at(page, "save")).to_have_attribute("aria-pressed", "false")
    # A page beside it, so that the browser stays.
    beside = visit(page.context)
    expect(at(beside, "card")).to_be_visible()
    page.close()
    _until(lambda: world.did() == [["visitor-1", "item-1", "visitor-1-1", ["like"]]])


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_number_that_runs_is_not_read_out(visit, world):
    world.be(lag=5000)
    state = at(visit(), "trainer-state")
    expect(state).to_have_text("The trainer is learning, 5,000 records behind")
    expect(state.get_by_role("status")).to_have_text("The trainer is learning")


def test_before_the_world_has_begun_the_page_says_what_it_waits_for(visit, world):
    world.be(started=False, serves=False, pid=None)
    page = visit()
    expect(at(page, "waking")).to_contain_text("The world is waking up")
    expect(at(page, "waking").locator("[data-done=true]")).to_have_text(["A server that answers with feeds"])
    expect(at(page, "trainer-state")).to_have_text("The trainer is starting")
    expect(at(page, "shock")).to_be_disabled()
    world.be(started=True, serves=True, pid=7)
    expect(at(page, "waking")).to_be_hidden()
    expect(at(page, "shock")).to_be_enabled()
    expect(at(page, "card")).to_be_visible()


def test_tabs_of_a_browser_share_a_person_and_another_browser_is_someone_else(visit, world):
    page = visit()
    expect(at(page, "card")).to_have_attribute("data-item", "item-1")
    beside = visit(page.context)
    expect(at(beside, "card")).to_have_attribute("data-item", "item-2")
    at(beside, "like").click()
    beside.keyboard.press("ArrowDown")
    expect(at(page, "beliefs").locator("[data-topic=cooking]")).to_have_attribute("data-watched", "0.7500")
    expect(at(page, "card")).to_have_attribute("data-item", "item-1")
    stranger = visit()
    expect(at(stranger, "card")).to_have_attribute("data-item", "item-1")
    expect(at(stranger, "beliefs").locator("[data-topic=cooking]")).to_have_attribute("data-watched", "0.2500")


def test_on_a_desk_all_is_seen_at_once_and_the_drawer_can_be_closed(visit):
    page = visit()
    for part in ("phone", "drawer", "chart-engagement", "sources", "shock", "facts", "trainer-state"):
        expect(at(page, part)).to_be_in_viewport()
    wide = at(page, "chart-engagement").bounding_box()["width"]
    at(page, "drawer-toggle").click()
    expect(at(page, "beliefs")).to_be_hidden()
    page.wait_for_function(
        "wide => document.querySelector('[data-testid=chart-engagement]').clientWidth > wide + 200", arg=wide
    )
    at(page, "drawer-toggle").click()
    expect(at(page, "beliefs")).to_be_visible()


def test_in_the_hand_three_tabs_hold_everything(visit, world):
    page = visit(viewport=HAND, has_touch=True)
    expect(at(page, "card")).to_be_in_viewport()
    assert at(page, "phone").bounding_box() == {"x": 0, "y": 0, "width": 390, "height": 844 - 56}
    expect(at(page, "drawer")).to_be_hidden()
    at(page, "tab-engine").tap()
    expect(at(page, "why-topic")).to_be_in_viewport()
    expect(at(page, "phone")).to_be_hidden()
    at(page, "tab-world").tap()
    for part in ("facts", "chart-engagement", "trainer-state"):
        expect(at(page, part)).to_be_in_viewport()
    for part in ("kill-trainer", "age-model", "auc", "sources"):
        at(page, part).scroll_into_view_if_needed()
        expect(at(page, part)).to_be_in_viewport()
    # A phone that is not on the screen has no keys, and it has not stuck when it is seen again.
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("ArrowDown")
    at(page, "tab-feed").tap()
    expect(at(page, "phone")).to_be_visible()
    expect(at(page, "card")).to_have_attribute("data-item", "item-1")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("ArrowDown")
    # Hidden while a card flies away.
    at(page, "tab-world").tap()
    expect(page.locator(".fm-card.leaving")).to_have_count(0)
    at(page, "tab-feed").tap()
    expect(at(page, "card")).to_have_attribute("data-item", "item-2")
    assert len(world.did()) == 1


def test_nothing_is_wider_than_the_screen(visit):
    page = visit()
    expect(at(page, "card")).to_be_visible()
    for width in (360, 390, 768, 1024, 1440, 1920):
        page.set_viewport_size({"width": width, "height": 844})
        for tab in ("feed", "engine", "world") if width <= 900 else (None,):
            if tab is not None:
                at(page, f"tab-{tab}").click()
                expect(at(page, f"tab-{tab}")).to_have_attribute("aria-pressed", "true")
            wide = page.evaluate("Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)")
            assert (tab, wide) == (tab, width)
