"""Test of the files panel: files that are dropped or chosen, and their states."""

import re

from playwright.sync_api import FilePayload, Page, expect

from tests.browser import ConsoleWindow
from tests.end_to_end.console.harness import MARKS, take_screenshots
from tests.end_to_end.platform_under_test import Platform

pytestmark = MARKS
DROP_FILE = """(area) => {
  const data = new DataTransfer();
  data.items.add(new File(["no lines"], "photo.jpg"));
  area.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
}"""


def test_dropped_and_chosen_files_show_their_state(window: ConsoleWindow, page: Page, platform: Platform) -> None:
    """`tests/end_to_end/test_rows_of_files.py` checks the rows that the panel shows of a file."""
    window.select_tab("Files")
    page.locator("#files-drop").evaluate(DROP_FILE)
    files = page.get_by_role("list", name="Files of this visit")
    expect(files.locator(".card", has_text="photo.jpg")).to_contain_text(
        "Rejected: its file extension is not one of those above."
    )
    # This starts no Spark run, because no accepted file waits yet.
    page.get_by_role("button", name="Process waiting files now").click()
    expect(page.locator("#files-flushed")).to_have_text(re.compile("No file is waiting"))
    chosen: FilePayload = {"name": "one of mine.ndjson", "mimeType": "", "buffer": b'{"line": 1}\n'}
    page.get_by_label("Choose files").set_input_files(chosen)
    expect(files.locator(".card", has_text="one of mine.ndjson").locator(".now")).to_contain_text("Waiting")
    table = platform.outputs["frontend"]["ingestion"]["table"]
    items = platform.client("dynamodb").scan(TableName=table)["Items"]
    states = {item["object_key"]["S"]: item["status"]["S"] for item in items if "object_key" in item}
    assert states["incoming/console/one of mine.ndjson"] == "pending"
    assert states["incoming/console/photo.jpg"] == "rejected"
    take_screenshots(window, "files", height=1180)
