"""Tests of the files panel: files that are dropped or chosen, and their states."""

from playwright.sync_api import Page, expect

from tests.browser import ConsoleWindow
from tests.end_to_end.conftest import Platform
from tests.end_to_end.console.harness import MARKS, take_screenshots

pytestmark = MARKS


DROP = """(area) => {
  const data = new DataTransfer();
  data.items.add(new File(['{"a": 1}\\n'], "one of mine.ndjson"));
  data.items.add(new File(["no lines"], "photo.jpg"));
  area.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
}"""


def test_dropped_and_chosen_files_show_their_state(window: ConsoleWindow, page: Page, platform: Platform) -> None:
    window.select_tab("Files")
    page.locator("#files-drop").evaluate(DROP)
    files = page.get_by_role("list", name="Files of this visit")
    expect(files.locator(".card", has_text="photo.jpg")).to_contain_text(
        "Rejected: this stack does not accept its file extension."
    )
    expect(files.locator(".card", has_text="one of mine.ndjson").locator(".now")).to_contain_text("pending")
    page.get_by_label("Choose files").set_input_files({"name": "chosen.jsonl", "mimeType": "", "buffer": b'{"a": 2}\n'})
    expect(files.locator(".card", has_text="chosen.jsonl").locator(".now")).to_contain_text("pending")
    table = platform.outputs["frontend"]["ingestion"]["table"]
    items = platform.client("dynamodb").scan(TableName=table)["Items"]
    states = {item["object_key"]["S"]: item["status"]["S"] for item in items if "object_key" in item}
    assert states["incoming/console/one of mine.ndjson"] == "pending"
    assert states["incoming/console/photo.jpg"] == "rejected"
    take_screenshots(window, "files")
