"""The page in a real Chromium."""

from __future__ import annotations

import time

import httpx
import pytest

from capi_plugins.sandbox import Sandbox
from tests.sandbox.wire_events import app_install, changed, website_purchase

EDGE = "/v26.0/1234567890/events"


def send(sandbox, *events, path=EDGE):
    body = {"data": list(events), "access_token": "TOKEN"}
    return httpx.post(sandbox.url + path, json=body, timeout=10)


def shop(name="Purchase", number=1):
    event = website_purchase(time.time())
    return changed(changed(event, "event_name", name), "event_id", f"{name}.{number}")


@pytest.fixture
def page(browser, live):
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    opened = context.new_page()
    opened.set_default_timeout(10_000)
    problems = []

    def heard(text):
        if "net::ERR_" not in text:  # a sandbox that was stopped on purpose
            problems.append(text)

    opened.on("console", lambda message: heard(message.text))
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("dialog", lambda dialog: (problems.append(dialog.message), dialog.dismiss()))
    opened.goto(live.url + "/")
    opened.wait_for_selector("#connection[data-state=on]")
    yield opened
    context.close()
    assert problems == []


def rows(page, count):
    from playwright.sync_api import expect  # the page's policy forbids polling by eval

    listed = page.locator("#rows tr")
    expect(listed).to_have_count(count, timeout=10_000)
    return listed


def test_empty_page_says_what_to_paste(page, live):
    page.wait_for_selector("#empty")
    assert f'"API_URL": "{live.url}"' in page.text_content("#settings")


def test_command_on_the_empty_page_works(page, live):
    import subprocess

    page.wait_for_selector("#empty")
    command = page.text_content("#curl")
    done = subprocess.run(
        ["/bin/sh", "-c", command], capture_output=True, text=True, check=True, timeout=20
    )
    assert '"events_received":1' in done.stdout
    assert [event.warnings for event in live.events] == [()]
    rows(page, 1)


def test_events_appear_as_they_arrive(page, live):
    send(live, shop())
    send(live, shop())
    send(live, changed(shop(), "custom_data.value"))
    listed = rows(page, 3)
    assert [listed.nth(place).locator(".badge").first.text_content() for place in range(3)] == [
        "Refused",
        "Duplicate",
        "Accepted",
    ]
    assert "100 / 2804009" in listed.nth(0).text_content()
    assert "$142.52" in listed.nth(2).text_content()
    assert listed.nth(2).locator(".chip-hashed").all_text_contents() == ["em", "ph"]
    tiles = page.locator(".tile-number").all_text_contents()
    assert tiles == ["1", "1", "1", "0"]
    assert not page.is_visible("#empty")


def test_payload_is_never_markup(page, live):
    attack = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    event = changed(changed(shop(), "event_name", attack), "event_id", attack)
    event["custom_data"][attack] = f'"{attack}'
    event["user_data"]["ph"] = attack
    event["action_source"] = attack
    send(live, event, path="/v26.0/<img src=x onerror=alert(3)>/events")
    rows(page, 1).click()
    page.wait_for_selector("#detail h2")
    assert page.text_content("#detail h2") == attack
    assert page.locator("img, #rows script, #detail script").count() == 0


def test_detail_shows_verdict_payload_answer_and_request(page, live):
    event = changed(changed(shop(), "custom_data.value"), "user_data.em", "john@example.com")
    send(live, shop("Lead"), event)
    rows(page, 2).nth(0).click()
    text = page.inner_text("#detail")
    assert "Unhashed Customer Information Parameter" in text
    assert "100 / 2804016" in text
    assert "Enter a value. For example: 1.99" in text
    assert "2 events" in text
    assert "HTTP 400" in text
    assert '"john@example.com"' in text
    assert "TOKEN" not in text
    page.locator("#rows tr").nth(1).click()
    assert "Nothing is wrong with this event" in page.inner_text("#detail")


def test_filters_narrow_the_list(page, live):
    for number in range(3):
        send(live, shop("Purchase", number))
    send(live, shop("Lead"))
    send(live, app_install(time.time()), path="/v26.0/77/events")
    send(live, changed(shop(), "event_time", 1))
    rows(page, 6)
    page.click(".tile-refused")
    rows(page, 1)
    page.click(".tile-refused")
    page.click(".pill:has-text('Purchase')")
    rows(page, 4)
    page.click(".pill:has-text('Purchase')")
    page.select_option("#source", "app")
    rows(page, 1)
    page.select_option("#source", "")
    page.select_option("#dataset", "77")
    rows(page, 1)
    page.select_option("#dataset", "")
    page.fill("#search", "lead.1 website")
    rows(page, 1)
    page.fill("#search", "nothing like this")
    page.click("#unfilter")
    rows(page, 6)


def test_pause_holds_events_back(page, live):
    send(live, shop())
    rows(page, 1)
    page.click("#pause")
    send(live, shop("Lead"))
    page.wait_for_selector("#pause:has-text('1 new')")
    rows(page, 1)
    page.click("#clear")
    rows(page, 0)
    send(live, shop("Lead", 2))
    page.wait_for_selector("#pause:has-text('1 new')")
    page.click("#pause")
    assert "Lead" in rows(page, 1).text_content()


def test_clear_empties_page_and_sandbox(page, live):
    send(live, shop())
    rows(page, 1)
    page.click("#clear")
    page.wait_for_selector("#empty")
    assert live.requests == []


def test_keyboard_alone_is_enough(page, live):
    send(live, shop("Lead"))
    send(live, shop())
    rows(page, 2)
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search"
    page.locator("#rows tr").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.text_content("#detail h2") == "Lead"
    assert page.evaluate("document.activeElement.id") == "detail"
    page.keyboard.press("Escape")
    assert not page.is_visible("#detail")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    assert page.text_content("#detail h2") == "Purchase"


def test_mode_switch(page, live):
    page.locator("#mode label", has_text="Like Meta").click()
    page.wait_for_selector("input[value=meta]:checked", state="attached")
    send(live, changed(shop(), "user_data.client_user_agent"))
    assert "1 warning" in rows(page, 1).text_content()
    assert live.mode == "meta"


def test_fault_injected_on_the_page_meets_the_next_request(page, live):
    page.click("#faults-open")
    page.select_option("#fault-kind", "server_error")
    page.fill("#fault-number", "500")
    page.click("#fault-inject")
    page.wait_for_selector("#faults-count:has-text('1')")
    page.click("dialog button[value=close]")
    assert send(live, shop()).status_code == 500
    assert "HTTP 500" in rows(page, 1).text_content()
    page.wait_for_selector("#faults-count", state="hidden")


def test_page_survives_a_restart_of_the_sandbox(page, live):
    send(live, shop())
    rows(page, 1)
    port = int(live.url.rpartition(":")[2])
    live.stop()
    page.wait_for_selector("#connection[data-state=off]")
    with Sandbox(port=port) as other:
        page.wait_for_selector("#connection[data-state=on]")
        send(other, shop("Lead"))
        page.wait_for_selector("#rows tr:has-text('Lead')")
        rows(page, 1)


def test_bursts_are_listed_in_pages(page, live):
    send(live, *[shop("PageView", number) for number in range(700)])
    rows(page, 300)
    page.click("#more-button")
    rows(page, 600)


@pytest.mark.parametrize(("width", "scheme"), [(420, "light"), (1280, "dark")])
def test_nothing_overflows(width, scheme, browser, live):
    send(live, shop(), changed(shop("Lead"), "event_name", "A" * 300))
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    page.goto(live.url + "/")
    rows(page, 2).first.click()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(18, 22, 28)") == (scheme == "dark")
    context.close()
