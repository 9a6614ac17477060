"""Files: dropped or chosen, followed until they are taken; on AWS too, with credentials of the visitor's own."""

import re

from playwright.sync_api import Browser, Page, Route, expect

from tests.browser import Visit, visit
from tests.end_to_end.conftest import Platform
from tests.end_to_end.console.visiting import MARKS, pictured

pytestmark = MARKS


DROP = """(area) => {
  const data = new DataTransfer();
  data.items.add(new File(['{"a": 1}\\n'], "one of mine.ndjson"));
  data.items.add(new File(["no lines"], "photo.jpg"));
  area.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
}"""


def test_files_are_dropped_and_followed(visitor: Visit, page: Page, platform: Platform) -> None:
    visitor.tab("Files")
    page.locator("#files-drop").evaluate(DROP)
    files = page.get_by_role("list", name="Files of this visit")
    expect(files.locator(".card", has_text="photo.jpg")).to_contain_text(
        "Not taken: its name does not end as this stack wants it."
    )
    expect(files.locator(".card", has_text="one of mine.ndjson").locator(".now")).to_contain_text("pending")
    page.get_by_label("Choose files").set_input_files(
        {"name": "chosen.jsonl", "mimeType": "", "buffer": b'{"a": 2}\n'}  # by the button
    )
    expect(files.locator(".card", has_text="chosen.jsonl").locator(".now")).to_contain_text("pending")
    table = platform.outputs["frontend"]["ingestion"]["table"]
    items = platform.client("dynamodb").scan(TableName=table)["Items"]
    states = {one["object_key"]["S"]: one["status"]["S"] for one in items if "object_key" in one}
    assert states["incoming/console/one of mine.ndjson"] == "pending"
    assert states["incoming/console/photo.jpg"] == "rejected"
    pictured(visitor, "files")


def test_on_aws_a_visitor_brings_credentials_and_they_go_to_aws_alone(started: Browser, url: str) -> None:
    """With AWS played by the test: the page's own policy allows it, the local server's does not."""
    asked: list[tuple[str, dict[str, str]]] = []

    def deployed(route: Route) -> None:
        known = route.fetch().json()
        route.fulfill(json={**known, "environment": "dev", "region": "eu-west-1"})

    def unguarded(route: Route) -> None:
        answer = route.fetch()
        kept = {name: value for name, value in answer.headers.items() if name != "content-security-policy"}
        route.fulfill(response=answer, headers=kept)

    def aws(route: Route) -> None:
        asked.append((route.request.url, route.request.headers))
        allowed = {
            "Access-Control-Allow-Origin": "*",
            "Access-Control-Allow-Headers": "*, authorization",
            "Access-Control-Allow-Methods": "*",
        }
        if route.request.method == "PUT":
            exposed = {"x-amz-version-id": "v1", "Access-Control-Expose-Headers": "x-amz-version-id"}
            route.fulfill(status=200, headers={**allowed, **exposed})
        else:
            item = {"status": {"S": "rejected"}, "reason": {"S": "EMPTY"}}
            route.fulfill(status=200, headers=allowed, json={"Item": item})

    with visit(started, url) as other:
        other.page.route(url, unguarded)
        other.page.route("**/frontend.json", deployed)
        other.page.route(re.compile("^https://"), aws)
        other.open("files")
        drop = other.page.locator("#files-drop")
        drop.evaluate(DROP)
        expect(other.page.locator("#files-problem")).to_contain_text("Sign in at the top.")
        other.page.get_by_role("button", name="Sign in").click()
        credentials = other.page.get_by_label("AWS credentials")
        credentials.fill("AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY=secret AWS_SESSION_TOKEN=session")
        other.page.get_by_role("dialog").get_by_role("button", name="Sign in").click()
        expect(credentials).to_have_value("")
        drop.evaluate(DROP)
        expect(other.page.get_by_text("Not taken: it is empty.").first).to_be_visible()
        assert not other.page.evaluate("localStorage.length + sessionStorage.length + document.cookie.length")
    bucket, table = "polyphony-local-ingestion-landing-123456789012", "https://dynamodb.eu-west-1.amazonaws.com/"
    address, headers = asked[0]
    assert address.startswith(f"https://{bucket}.s3.eu-west-1.amazonaws.com/incoming/console/")
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert headers["x-amz-security-token"] == "session"
    assert table in {one for one, _ in asked}
    assert "secret" not in str(asked).replace("x-amz-security", "")
