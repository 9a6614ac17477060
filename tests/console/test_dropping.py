"""Files that a visitor drops, of a stack that is played: followed through every state, for whoever dropped them."""

import json

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.console.fake_page import CORS, answers, becomes, played, token

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("modules")]
KEYS = "AWS_ACCESS_KEY_ID=AKIA{} AWS_SECRET_ACCESS_KEY=secret"


class Landing:
    """The ingestion backend: its bucket, and its table's record of whatever is dropped."""

    def __init__(self) -> None:
        self.status = ""
        """None is there yet."""
        self.reason = ""
        self.asked_with: set[str] = set()
        self.put: list[tuple[str, dict[str, str]]] = []
        self.ended: set[str] = set()
        """Keys that hold no more."""

    def plays(self, page: Page) -> None:
        page.route("https://landing.s3.eu-west-1.amazonaws.com/**", self._put)
        page.route("https://dynamodb.eu-west-1.amazonaws.com/**", self._look)
        answers(page, "livestream.example.com", lambda _: {"episodes": []})

    def _put(self, route: Route) -> None:
        if route.request.method == "PUT":
            self.put.append((route.request.url, route.request.headers))
        exposed = {"x-amz-version-id": "v1", "Access-Control-Expose-Headers": "x-amz-version-id"}
        route.fulfill(status=200, headers={**CORS, "Access-Control-Allow-Headers": "*, authorization", **exposed})

    def _look(self, route: Route) -> None:
        headers = {**CORS, "Access-Control-Allow-Headers": "*, authorization"}
        if route.request.method == "OPTIONS":
            route.fulfill(status=200, headers=headers)
            return
        key = route.request.headers["authorization"].partition("Credential=")[2].partition("/")[0]
        self.asked_with.add(key)
        assert json.loads(route.request.post_data or "")["TableName"] == "files"
        if key in self.ended:
            said = {"__type": "com.amazon.coral.service#ExpiredTokenException", "message": "The token has ended."}
            route.fulfill(status=400, headers=headers, json=said)
        else:
            item = {"status": {"S": self.status}} | ({"reason": {"S": self.reason}} if self.reason else {})
            route.fulfill(headers=headers, json={"Item": item} if self.status else {})


def dropped(page: Page, name: str = "a.ndjson") -> Locator:
    """What is shown of a file that was just chosen."""
    page.get_by_label("Choose files").set_input_files({"name": name, "mimeType": "", "buffer": b"{}\n"})
    return page.get_by_role("list", name="Files of this visit").locator(".card", has_text=name)


def test_a_visitor_brings_credentials_and_they_go_to_aws_alone(started: Browser, url: str) -> None:
    landing = Landing()
    landing.status, landing.reason = "rejected", "EMPTY"
    with played(started, url, "files", plays=landing.plays) as other:
        dropped(other.page)
        expect(other.page.locator("#files-problem")).to_contain_text("Sign in at the top.")
        keys = f"{KEYS.format(1)} AWS_SESSION_TOKEN=session"
        becomes(other.page, keys, "Signed in", field="AWS credentials")
        expect(other.page.get_by_label("AWS credentials")).to_have_value("")
        expect(dropped(other.page).first).to_contain_text("Rejected: it is empty.")
        assert not other.page.evaluate("localStorage.length + sessionStorage.length + document.cookie.length")
    [(address, headers)] = landing.put
    assert address == "https://landing.s3.eu-west-1.amazonaws.com/incoming/console/a.ndjson"
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIA1/")
    assert headers["x-amz-security-token"] == "session"
    assert "secret" not in str(headers).replace("x-amz-security", "")


def test_a_file_is_followed_until_its_rows_are_in_the_lake(started: Browser, url: str) -> None:
    landing = Landing()
    with played(started, url, "files", plays=landing.plays) as other:
        becomes(other.page, KEYS.format(1), "Signed in", field="AWS credentials")
        card = dropped(other.page)
        expect(card).to_contain_text("Waiting for the notification.")
        for state in ("pending", "claimed", "manifested"):
            landing.status = state
            expect(card.locator(".now")).to_contain_text(state)
        landing.status = "processed"
        expect(card).to_contain_text("Its rows are in the data lake.")
        expect(card.locator(".now")).to_have_count(0)
        expect(card.locator(".done")).to_have_count(4)


@pytest.mark.parametrize(
    ("status", "reason", "words"),
    [
        ("processed", "damaged_gzip", "Its rows are in the data lake. The file is damaged"),
        ("superseded", "version_gone", "This version was deleted or replaced before it was read."),
        ("rejected", "sealed", "Rejected: the run cannot read it"),
        ("rejected", "no_good_line:not_json", "Rejected: none of its lines is a JSON record."),
        ("rejected", "OF_ANOTHER_VERSION", "Rejected: OF_ANOTHER_VERSION"),
    ],
)
def test_what_became_of_a_file_is_said_in_words(
    started: Browser, url: str, status: str, reason: str, words: str
) -> None:
    landing = Landing()
    landing.status, landing.reason = status, reason
    with played(started, url, "files", plays=landing.plays) as other:
        becomes(other.page, KEYS.format(1), "Signed in", field="AWS credentials")
        expect(dropped(other.page)).to_contain_text(words)


def test_a_file_is_followed_with_new_keys_where_the_others_have_ended(started: Browser, url: str) -> None:
    landing = Landing()
    with played(started, url, "files", plays=landing.plays) as other:
        becomes(other.page, KEYS.format(1), "Signed in", field="AWS credentials")
        landing.ended = {"AKIA1"}
        card = dropped(other.page)
        expect(card.get_by_role("alert")).to_contain_text("Sign in again at the top.")
        landing.status = "processed"
        becomes(other.page, KEYS.format(2), "Signed in", field="AWS credentials")
        expect(card).to_contain_text("Its rows are in the data lake.")
        expect(card.get_by_role("alert")).to_be_hidden()
    assert landing.asked_with == {"AKIA1", "AKIA2"}


def test_what_one_dropped_is_not_shown_to_somebody_else(started: Browser, url: str) -> None:
    landing = Landing()
    with played(started, url, "files", plays=landing.plays) as other:
        becomes(other.page, KEYS.format(1), "Signed in", field="AWS credentials")
        becomes(other.page, token("ann"), "ann")
        landing.status = "pending"
        card = dropped(other.page, "of ann.ndjson")
        expect(card.locator(".now")).to_contain_text("pending")
        becomes(other.page, token("ann", 2), "ann")
        expect(card).to_be_visible()
        becomes(other.page, token("bob"), "bob")
        expect(card).to_have_count(0)
        assert "of ann" not in other.page.locator("body").inner_html()
