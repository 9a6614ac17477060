"""Tests of the files panel against a fake stack: credentials, states of a file, and changes of the user."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

import pytest
from playwright.sync_api import FilePayload, Locator, Page, Route, expect

from tests.console.fake_stack import CORS, LOCAL_ENDPOINT, OpenPanel, make_token, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("modules")]
DROP_FILE = """(area, name) => {
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File(["{}\\n"], name));
  area.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
}"""
USER_NUMBERS = count()
AWS_CREDENTIALS = "AWS_ACCESS_KEY_ID=AKIA{} AWS_SECRET_ACCESS_KEY=secret"


@dataclass
class FakeIngestion:
    """Landing bucket and file table. All files have the same status and reason."""

    status: str = ""
    """Status of the files, or an empty string if the table has no record of them yet."""
    reason: str = ""
    expired_keys: set[str] = field(default_factory=set)
    """Access keys whose session token has expired."""
    failures_left: int = 0
    """Number of the next reads of the table that fail."""
    uploads: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """URL and headers of each upload."""
    reading_keys: set[str] = field(default_factory=set)
    """Access keys with which the page has read the table."""

    def install(self, page: Page) -> "FakeIngestion":
        """Answer the requests of the page to ingestion from now on."""
        page.route("https://landing.s3.eu-west-1.amazonaws.com/**", self._put)
        page.route("https://dynamodb.eu-west-1.amazonaws.com/**", self._get_item)
        page.route(f"{LOCAL_ENDPOINT}/landing/**", self._put)
        page.route(f"{LOCAL_ENDPOINT}/", self._get_item)
        return self

    def _put(self, route: Route) -> None:
        if route.request.method == "PUT":
            self.uploads.append((route.request.url, route.request.headers))
        route.fulfill(status=200, headers={**CORS, "x-amz-version-id": "v1"})

    def _get_item(self, route: Route) -> None:
        if route.request.method == "OPTIONS":
            route.fulfill(status=200, headers=CORS)
            return
        key = route.request.headers["authorization"].partition("Credential=")[2].partition("/")[0]
        self.reading_keys.add(key)
        assert json.loads(route.request.post_data or "")["TableName"] == "files"
        if self.failures_left:
            self.failures_left -= 1
            route.fulfill(status=503, headers=CORS)
        elif key in self.expired_keys:
            error = {"__type": "com.amazon.coral.service#ExpiredTokenException", "message": "The token has ended."}
            route.fulfill(status=400, headers=CORS, json=error)
        else:
            texts = {"status": self.status, "manifest_id": "m1", "reason": self.reason}
            item = {name: {"S": text} for name, text in texts.items()}
            route.fulfill(headers=CORS, json={"Item": item} if self.status else {})


def choose_file(page: Page, name: str = "a.ndjson") -> Locator:
    """Choose a file and return its card."""
    page.get_by_label("Choose files").set_input_files({"name": name, "mimeType": "", "buffer": b"{}\n"})
    return page.get_by_role("list", name="Files of this visit").locator(".card", has_text=name)


@pytest.fixture(scope="module")
def signed_in_page(open_panel: OpenPanel) -> Iterator[Page]:
    """Page whose visitor has entered AWS credentials, for all tests of this module."""
    with open_panel("files") as window:
        sign_in(window.page, AWS_CREDENTIALS.format(1), "Signed in", field="AWS credentials")
        yield window.page


@pytest.fixture
def page(signed_in_page: Page) -> Page:
    """The page with no files, after a new user has signed in. A test installs its own fake of ingestion."""
    user = f"user {next(USER_NUMBERS)}"
    sign_in(signed_in_page, make_token(user), user)
    return signed_in_page


def test_entered_credentials_are_only_sent_to_aws(open_panel: OpenPanel) -> None:
    ingestion = FakeIngestion(status="rejected", reason="EMPTY")
    with open_panel("files", set_up=ingestion.install) as window:
        choose_file(window.page)
        expect(window.page.locator("#files-problem")).to_contain_text("Sign in at the top.")
        keys = f"{AWS_CREDENTIALS.format(1)} AWS_SESSION_TOKEN=session"
        sign_in(window.page, keys, "Signed in", field="AWS credentials")
        expect(window.page.get_by_label("AWS credentials")).to_have_value("")
        expect(choose_file(window.page).first).to_contain_text("Rejected: it is empty.")
        assert not window.page.evaluate("localStorage.length + sessionStorage.length + document.cookie.length")
    [(address, headers)] = ingestion.uploads
    assert address == "https://landing.s3.eu-west-1.amazonaws.com/incoming/console/a.ndjson"
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIA1/")
    assert headers["x-amz-security-token"] == "session"
    assert "secret" not in str(headers).replace("x-amz-security", "")


def test_the_state_of_a_file_is_shown_until_it_is_processed(page: Page) -> None:
    """A failed check is repeated, and its error disappears."""
    ingestion = FakeIngestion(failures_left=5).install(page)
    card = choose_file(page)
    expect(card).to_contain_text("The stack has not noticed the file yet.")
    for status, step in (("pending", "Waiting"), ("manifested", "Converting")):
        ingestion.status = status
        expect(card.locator(".now")).to_contain_text(step)
    expect(card.get_by_role("alert")).to_be_hidden()
    ingestion.status = "processed"
    expect(card).to_contain_text("Its rows are in the data lake.")
    expect(card.locator(".now")).to_have_count(0)
    expect(card.locator(".done")).to_have_count(3)
    # Only the local platform has a button that processes the waiting files.
    expect(page.get_by_text("A run starts when enough files are waiting, or after an hour.")).to_be_visible()
    expect(page.get_by_role("button", name="Process waiting files now")).to_be_hidden()


def test_final_states_are_explained(page: Page) -> None:
    explanations = {
        ("processed", "damaged_gzip"): "Its rows are in the data lake. The file is damaged",
        ("superseded", "version_gone"): "This version was deleted or replaced before it was read.",
        ("rejected", "sealed"): "Rejected: the run cannot read it",
        ("rejected", "no_good_line:not_json"): "Rejected: none of its lines is a JSON record.",
        ("rejected", "REASON_OF_A_LATER_VERSION"): "Rejected: the run gave a reason that this page does not know.",
    }
    ingestion = FakeIngestion().install(page)
    for number, ((status, reason), text) in enumerate(explanations.items()):
        ingestion.status, ingestion.reason = status, reason
        expect(choose_file(page, f"{number}.ndjson")).to_contain_text(text)


def test_polling_continues_with_new_credentials_after_the_old_ones_expired(page: Page) -> None:
    ingestion = FakeIngestion(expired_keys={"AKIA1"}).install(page)
    user = page.locator("#who").inner_text()
    sign_in(page, AWS_CREDENTIALS.format(1), user, field="AWS credentials")
    card = choose_file(page)
    expect(card.get_by_role("alert")).to_contain_text("Sign in again at the top.")
    ingestion.status = "processed"
    sign_in(page, AWS_CREDENTIALS.format(2), user, field="AWS credentials")
    expect(card).to_contain_text("Its rows are in the data lake.")
    expect(card.get_by_role("alert")).to_be_hidden()
    assert ingestion.reading_keys == {"AKIA1", "AKIA2"}


def test_files_of_one_user_are_not_shown_to_another(page: Page) -> None:
    FakeIngestion(status="pending").install(page)
    sign_in(page, make_token("Ann A."), "Ann A.")
    card = choose_file(page, "of ann.ndjson")
    expect(card.locator(".now")).to_contain_text("Waiting")
    sign_in(page, make_token("Ann A.", number=2), "Ann A.")
    expect(card).to_be_visible()
    sign_in(page, make_token("bob"), "bob")
    expect(card).to_have_count(0)
    assert "of ann" not in page.locator("body").inner_html()


def test_many_files_are_counted_filtered_and_shown_in_pages(page: Page) -> None:
    FakeIngestion(status="processed").install(page)
    names = [f"{number:03}.ndjson" for number in range(15)]
    chosen: list[FilePayload] = [{"name": name, "mimeType": "", "buffer": b"{}\n"} for name in names]
    page.get_by_label("Choose files").set_input_files(chosen)
    expect(page.get_by_role("list", name="Number of files by state")).to_have_text("15 in the lake")
    names_shown = page.locator("#files-list > li .name")
    expect(page.locator("#files-page")).to_have_text("1 to 10 of 15")
    first_page = names_shown.all_inner_texts()
    page.get_by_role("button", name="Older").click()
    expect(page.locator("#files-page")).to_have_text("11 to 15 of 15")
    assert sorted(first_page + names_shown.all_inner_texts()) == names, "each file is on one page"
    expect(page.get_by_role("button", name="Older")).to_be_disabled()
    page.get_by_label("Name contains").fill("01")
    expect(page.locator("#files-page")).to_have_text("1 to 6 of 6")  # 001 and 010 to 014
    page.get_by_label("State", exact=True).select_option(label="rejected or failed")
    expect(page.get_by_text("No file matches.")).to_be_visible()


def test_the_rows_of_a_dropped_file_are_shown_on_the_local_platform(open_panel: OpenPanel) -> None:
    """There, waiting files can also be processed at once."""
    row_requests: list[str] = []

    def send_rows(route: Route) -> None:
        row_requests.append(route.request.url)
        row = {"_source_line": 1, "_source_key": "k", "name": "<b>Ann</b>", "tags": ["x"], "age": None}
        route.fulfill(json={"rows": [row], "total": 70})

    ingestion = FakeIngestion(status="pending")
    with open_panel("files", set_up=ingestion.install, local=True) as window:
        page = window.page
        page.route("**/flush", lambda route: route.fulfill(json={"manifests": 1, "files": 2}))
        page.route("**/rows.json?*", send_rows)
        page.locator("#files-drop").evaluate(DROP_FILE, "a b.ndjson")
        button = page.get_by_role("button", name="Process waiting files now")
        expect(button).to_have_accessible_description(re.compile("On AWS .* for up to an hour"))
        button.click()
        expect(page.get_by_text("A run has started for 2 waiting files.")).to_be_visible()
        ingestion.status = "processed"
        card = page.get_by_role("list", name="Files of this visit").locator(".card", has_text="a b.ndjson")
        button = card.get_by_role("button", name="Show rows")
        button.press("Enter")
        expect(card.get_by_role("columnheader")).to_have_text(["Line", "name", "tags", "age"])
        expect(card.get_by_role("cell")).to_have_text(["<b>Ann</b>", '["x"]', ""])
        expect(card).to_contain_text("The first 1 of 70 rows")
        card.get_by_role("button", name="Hide rows").press("Enter")
        expect(card.get_by_role("table")).to_be_hidden()
        button.press("Enter")
        expect(card.get_by_role("table")).to_be_visible()
    assert [url.partition("?")[2] for url in row_requests] == [
        "manifest=m1&key=incoming%2Fconsole%2Fa+b.ndjson&version=v1"
    ]
