"""Tests of the files panel: files that are dropped or chosen, their states, and their rows."""

from playwright.sync_api import Page, expect

from tests.browser import ConsoleWindow
from tests.end_to_end.conftest import IngestionRun
from tests.end_to_end.console.harness import MARKS, take_screenshots
from tests.end_to_end.platform_under_test import Platform

pytestmark = MARKS
DROP_TWO_FILES = """(area) => {
  const data = new DataTransfer();
  data.items.add(new File(['{"a": 1}\\n'], "one of mine.ndjson"));
  data.items.add(new File(["no lines"], "photo.jpg"));
  area.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
}"""


def test_dropped_and_chosen_files_show_their_state(window: ConsoleWindow, page: Page, platform: Platform) -> None:
    window.select_tab("Files")
    page.locator("#files-drop").evaluate(DROP_TWO_FILES)
    files = page.get_by_role("list", name="Files of this visit")
    expect(files.locator(".card", has_text="photo.jpg")).to_contain_text(
        "Rejected: its file extension is not one of those above."
    )
    expect(files.locator(".card", has_text="one of mine.ndjson").locator(".now")).to_contain_text("Waiting")
    page.get_by_label("Choose files").set_input_files({"name": "chosen.jsonl", "mimeType": "", "buffer": b'{"a": 2}\n'})
    expect(files.locator(".card", has_text="chosen.jsonl").locator(".now")).to_contain_text("Waiting")
    table = platform.outputs["frontend"]["ingestion"]["table"]
    items = platform.client("dynamodb").scan(TableName=table)["Items"]
    states = {item["object_key"]["S"]: item["status"]["S"] for item in items if "object_key" in item}
    assert states["incoming/console/one of mine.ndjson"] == "pending"
    assert states["incoming/console/photo.jpg"] == "rejected"


def test_the_sample_files_become_rows_at_once_if_the_visitor_asks(
    window: ConsoleWindow, page: Page, ingestion_run: IngestionRun
) -> None:
    """The ingestion flow must have ended before, because the button processes all waiting files."""
    _, flow_outcome = ingestion_run.outcome
    assert flow_outcome.rows
    window.select_tab("Files")
    page.get_by_role("button", name="Try the sample files").click()
    samples = page.get_by_role("list", name="Files of this visit").locator(".card", has_text="records-")
    expect(samples).to_have_count(3)
    expect(samples.locator(".now", has_text="Waiting")).to_have_count(3)
    page.get_by_role("button", name="Process waiting files now").click()
    expect(page.get_by_text("A run has started for")).to_be_visible()
    card = samples.filter(has_text="records-1.ndjson")
    expect(card).to_contain_text("Its rows are in the data lake.", timeout=90_000)
    card.get_by_role("button", name="Show rows").click()
    expect(card).to_contain_text("3 rows", timeout=60_000)
    expect(card.get_by_role("columnheader")).to_have_text(["Line", "file", "line", "text"])
    # The sample file is number 1 and has three lines, which all contain the text "ü1".
    expect(card.get_by_role("cell")).to_have_text([cell for line in "012" for cell in ("1", line, "ü1")])
    page.get_by_label("Name contains").fill("records-1")
    take_screenshots(window, "files", height=1180)
    page.get_by_label("Name contains").fill("")
