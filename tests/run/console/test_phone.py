"""The phone in a browser: what the server hears of each gesture, and what the person sees."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from feedmill.run.console.palette import TOPIC_HUES

MOODS = ("calm", "bright", "wild", "dreamy", "funny")
LONG = 1000.0
"""Seconds of a card that does not end during a test."""


@dataclass
class Held:
    """The page of the phone in a browser, and what it complained of."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)

    @property
    def phone(self) -> Locator:
        return self.page.get_by_test_id("phone")

    @property
    def card(self) -> Locator:
        """The card that is not leaving."""
        return self.page.get_by_test_id("card")

    def button(self, name: str) -> Locator:
        return self.card.get_by_test_id(name)

    def told(self, count: int) -> list[dict[str, Any]]:
        """The first `count` events that the server heard, in order; fails where there are more or they do not come."""
        lines = self.page.get_by_test_id("told")
        expect(lines).to_have_count(count, timeout=10_000)
        return [json.loads(line) for line in lines.all_inner_texts()]

    def middle(self) -> tuple[float, float]:
        """A point of the card without a button."""
        frame = self.phone.bounding_box()
        assert frame is not None
        return frame["x"] + frame["width"] * 0.4, frame["y"] + frame["height"] * 0.4

    def swipe(self, distance: float, steps: int = 8) -> None:
        """Presses the mouse in the middle of the card, moves it up by `distance` px and lets go."""
        x, y = self.middle()
        mouse = self.page.mouse
        mouse.move(x, y)
        mouse.down()
        mouse.move(x, y - distance, steps=steps)
        mouse.up()

    def double_tap(self) -> None:
        self.page.mouse.dblclick(*self.middle())


@pytest.fixture(scope="session")
def phone_url(serve_page: Callable[[str], AbstractContextManager[str]]) -> Iterator[str]:
    """The address of a process that serves `phone_page.py`."""
    with serve_page("phone_page.py") as url:
        yield url


Hold = Callable[..., Held]


@pytest.fixture
def hold(browser: Browser, phone_url: str) -> Iterator[Hold]:
    """`hold(seconds=1000, late=False, **context)` opens the page. What it complains of fails the test at its end."""
    opened: list[Held] = []

    @contextmanager
    def closing(**context: Any) -> Iterator[Page]:
        surroundings = browser.new_context(**{"viewport": {"width": 900, "height": 900}, **context})
        yield surroundings.new_page()
        surroundings.close()

    pages = []

    def open_page(seconds: float = LONG, late: bool = False, **context: Any) -> Held:
        pages.append(closing(**context))
        held = Held(pages[-1].__enter__(), phone_url)
        opened.append(held)
        watch(held)
        held.page.goto(f"{phone_url}/?seconds={seconds}&late={int(late)}")
        held.card.wait_for()
        return held

    yield open_page
    for page in pages:
        page.__exit__(None, None, None)
    assert [complaint for held in opened for complaint in held.complaints] == []


def watch(held: Held) -> None:
    """Notes errors of the page, and requests to anywhere but its own server."""
    own = (held.url, held.url.replace("http:", "ws:"), "data:", "blob:")

    def asked(url: str) -> None:
        if not url.startswith(own):
            held.complaints.append(f"asked elsewhere: {url}")

    held.page.on("console", lambda said: held.complaints.append(said.text) if said.type == "error" else None)
    held.page.on("pageerror", lambda error: held.complaints.append(str(error)))
    held.page.on("request", lambda request: asked(request.url))


def test_a_card_shows_what_it_was_made_of(hold: Hold) -> None:
    held = hold()
    expect(held.card).to_have_attribute("data-topic", "cats")
    expect(held.card).to_have_attribute("data-item", "item-0")
    for text in ("cats, number 0", "@studio-0", "because you watched cats", "calm"):
        expect(held.card.get_by_text(text, exact=True)).to_be_visible()


def test_a_swipe_leaves_the_card_and_the_next_one_takes_its_place(hold: Hold) -> None:
    held = hold()
    held.swipe(300)
    (left,) = held.told(1)
    assert (left["event"], left["item_id"], left["request_id"]) == ("leave", "item-0", "request-0")
    expect(held.card).to_have_attribute("data-item", "item-1")
    expect(held.page.locator(".fm-card")).to_have_count(1)


def test_a_short_slow_pull_springs_back(hold: Hold) -> None:
    held = hold()
    held.swipe(40, steps=40)
    held.page.wait_for_function("document.querySelector('[data-testid=card]').style.transform === 'none'")
    expect(held.card).to_have_attribute("data-item", "item-0")
    held.told(0)


def test_a_card_that_is_left_early_was_skipped(hold: Hold) -> None:
    held = hold(seconds=1000)
    held.page.keyboard.press("ArrowDown")
    (left,) = held.told(1)
    assert left["actions"] == ["skip"]
    assert 0 <= left["watched"] < 0.15


def test_a_card_that_has_played_is_watched_once_and_not_skipped(hold: Hold) -> None:
    held = hold(seconds=0.05)
    held.card.locator(".fm-played.again").wait_for()
    held.page.keyboard.press("ArrowDown")
    (left,) = held.told(1)
    assert (left["watched"], left["actions"]) == (1, [])


def test_double_taps_like_once_and_leaving_tells_it(hold: Hold) -> None:
    held = hold(seconds=0.05)
    held.card.locator(".fm-played.again").wait_for()
    held.double_tap()
    held.double_tap()
    expect(held.button("like")).to_have_attribute("aria-pressed", "true")
    held.page.keyboard.press("ArrowDown")
    acted, left = held.told(2)
    assert (acted["event"], acted["action"], acted["item_id"]) == ("act", "like", "item-0")
    assert left["actions"] == ["like"]


def test_a_single_tap_does_nothing(hold: Hold) -> None:
    held = hold()
    held.page.mouse.click(*held.middle())
    expect(held.button("like")).to_have_attribute("aria-pressed", "false")
    held.told(0)


def test_the_button_takes_a_like_back(hold: Hold) -> None:
    held = hold(seconds=0.05)
    held.card.locator(".fm-played.again").wait_for()
    held.button("like").click()
    held.button("like").click()
    expect(held.button("like")).to_have_attribute("aria-pressed", "false")
    held.button("next").click()
    liked, taken_back, left = held.told(3)
    assert (liked["actions"], taken_back["actions"], left["actions"]) == (["like"], [], [])


def test_keys_act_once_each_and_space_leaves(hold: Hold) -> None:
    held = hold(seconds=0.05)
    held.card.locator(".fm-played.again").wait_for()
    for key in ("l", "c", "v", "s", "f", "f", "s"):
        held.page.keyboard.press(key)
    held.page.keyboard.press("Space")
    *acted, left = held.told(6)
    assert [told["action"] for told in acted] == ["like", "comment", "save", "share", "follow"]
    assert left["actions"] == ["like", "comment", "save", "share", "follow"]


def test_space_on_a_button_presses_it_and_stays(hold: Hold) -> None:
    held = hold()
    held.button("save").focus()
    held.page.keyboard.press("Space")
    (acted,) = held.told(1)
    assert acted["action"] == "save"
    expect(held.card).to_have_attribute("data-item", "item-0")


def test_hiding_leaves_at_once(hold: Hold) -> None:
    held = hold()
    held.page.keyboard.press("h")
    acted, left = held.told(2)
    assert acted["action"] == "hide"
    assert left["actions"] == ["hide"]
    expect(held.card).to_have_attribute("data-item", "item-1")


def test_one_stroke_of_a_wheel_is_one_card(hold: Hold) -> None:
    held = hold()
    # A hand's stroke on a trackpad: one gesture, many events, each too small or too late to count for itself.
    held.phone.evaluate(
        "phone => [30, 90, 70, 50, 30, 10].forEach(deltaY =>"
        " phone.dispatchEvent(new WheelEvent('wheel', { deltaY, bubbles: true, cancelable: true })))"
    )
    expect(held.card).to_have_attribute("data-item", "item-1")
    held.told(1)


def test_a_turn_of_the_wheel_leaves_and_the_page_behind_stays(hold: Hold) -> None:
    held = hold(viewport={"width": 900, "height": 300})
    held.page.mouse.move(*held.middle())
    held.page.mouse.wheel(0, 120)
    expect(held.card).to_have_attribute("data-item", "item-1")
    assert held.page.evaluate("scrollY") == 0


def test_a_followed_creator_stays_followed_on_the_next_card(hold: Hold) -> None:
    held = hold()
    held.button("follow").click()
    for item in ("item-1", "item-2"):
        held.page.keyboard.press("ArrowDown")
        expect(held.card).to_have_attribute("data-item", item)
        expect(held.button("follow")).to_have_attribute("aria-pressed", str(item == "item-2").lower())
    held.page.keyboard.press("f")
    held.page.keyboard.press("ArrowDown")
    assert [told["event"] for told in held.told(4)] == ["act", "leave", "leave", "leave"]


def test_the_keys_are_shown_and_put_away(hold: Hold) -> None:
    held = hold()
    held.page.keyboard.press("?")
    expect(held.page.get_by_role("dialog", name="Keys")).to_be_visible()
    held.page.keyboard.press("Escape")
    expect(held.page.get_by_role("dialog", name="Keys")).to_have_count(0)


def test_the_keys_have_a_button_that_has_the_focus_again_when_they_are_put_away(hold: Hold) -> None:
    held = hold()
    opener = held.phone.get_by_test_id("keys")
    opener.focus()
    held.page.keyboard.press("Enter")
    keys = held.page.get_by_role("dialog", name="Keys")
    expect(keys).to_be_focused()
    # What lies behind them is not reached.
    held.page.keyboard.press("ArrowDown")
    held.page.keyboard.press("l")
    held.page.keyboard.press("Escape")
    expect(keys).to_have_count(0)
    expect(opener).to_be_focused()
    expect(held.card).to_have_attribute("data-item", "item-0")
    held.told(0)


def test_who_goes_on_by_a_button_and_a_key_has_it_under_the_finger_on_the_next_card(hold: Hold) -> None:
    held = hold()
    held.button("next").focus()
    for item in ("item-1", "item-2"):
        held.page.keyboard.press("Enter")
        expect(held.card).to_have_attribute("data-item", item)
        expect(held.button("next")).to_be_focused()


def test_the_phone_says_when_the_next_card_is_slow(hold: Hold) -> None:
    held = hold(late=True)
    held.page.keyboard.press("ArrowDown")
    held.page.locator(".fm-beneath.slow").wait_for()
    expect(held.page.locator(".fm-card")).to_have_count(0)
    held.page.keyboard.press("ArrowDown")
    held.page.keyboard.press("l")
    held.told(1)


def test_every_button_has_a_name(hold: Hold) -> None:
    held = hold()
    names = held.phone.get_by_role("button").evaluate_all(
        "buttons => buttons.map(button => button.ariaLabel || button.innerText)"
    )
    assert names == ["Follow @studio-0", "Like", "Comment", "Save", "Share", "Not for me", "Next card", "Keys"]


def test_a_narrow_window_is_filled_but_for_the_bar_and_fingers_swipe(hold: Hold) -> None:
    held = hold(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    frame = held.phone.bounding_box()
    assert frame is not None
    assert (frame["width"], frame["height"]) == (390, 844 - 56)
    touch = held.page.context.new_cdp_session(held.page)

    def send(kind: str, *points: dict[str, float]) -> None:
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": list(points)})

    x, y = held.middle()
    send("touchStart", {"x": x, "y": y})
    for moved in range(20, 320, 40):
        send("touchMove", {"x": x, "y": y - moved})
    send("touchEnd")
    expect(held.card).to_have_attribute("data-item", "item-1")
    held.told(1)


# Draws a card at a second of its time into a small canvas and returns the picture.
DRAW = """async ([topic, mood, author, item, second]) => {
  const { makePicture } = await import("feedmill-console/art/index.js");
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [78, 160];
  const card = { topic, mood, author_id: author, item_id: item };
  makePicture(card, HUE).draw(canvas.getContext("2d"), 78, 160, second);
  return canvas.toDataURL();
}"""


def draw(
    held: Held, topic: str, mood: str = "calm", author: str = "studio-1", item: str = "item-1", second: float = 1.0
) -> str:
    """The picture, as text."""
    picture: str = held.page.evaluate(
        DRAW.replace("HUE", str(TOPIC_HUES.get(topic, 0))), [topic, mood, author, item, second]
    )
    return picture


def test_every_topic_and_mood_has_a_picture_of_its_own_that_is_the_same_each_time(hold: Hold) -> None:
    held = hold()
    pictures = {draw(held, topic, mood) for topic in TOPIC_HUES for mood in MOODS}
    assert len(pictures) == len(TOPIC_HUES) * len(MOODS)
    assert pictures == {draw(held, topic, mood) for topic in TOPIC_HUES for mood in MOODS}


def test_pictures_move_and_depend_on_their_creator_and_their_item(hold: Hold) -> None:
    held = hold()
    for topic in [*TOPIC_HUES, "unheard of"]:
        ways: list[dict[str, Any]] = [{}, {"second": 1.5}, {"author": "studio-2"}, {"item": "item-2"}]
        assert len({draw(held, topic, **way) for way in ways}) == 4, topic


LOOK = """() => new Promise(done => {
  const look = () => document.querySelector("[data-testid=card] canvas").toDataURL();
  const before = look();
  let frames = 0;
  const frame = () => (++frames < 12 ? requestAnimationFrame(frame) : done(look() !== before));
  requestAnimationFrame(frame);
})"""


@pytest.mark.parametrize(("wish", "moves"), [("no-preference", True), ("reduce", False)])
def test_pictures_stand_still_for_those_who_want_less_motion(hold: Hold, wish: str, moves: bool) -> None:
    held = hold(reduced_motion=wish)
    held.page.wait_for_function("document.querySelector('[data-testid=card]').style.transform === 'none'")
    assert held.page.evaluate(LOOK) is moves
