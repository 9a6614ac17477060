"""Test of the sign-in dialog: the panels use a token of the name that the visitor enters."""

import re

from playwright.sync_api import Browser, expect

from handlers.common.ids import derive_user_id
from local.emulation.identity_provider import ISSUER
from tests.browser import open_window
from tests.end_to_end.backends import DeployedLivestream
from tests.end_to_end.console.harness import MARKS, find_panel, sign_in
from tests.end_to_end.platform_under_test import Platform

pytestmark = MARKS
TITLE = "Episode of Dora"


def test_an_episode_of_one_user_is_not_listed_for_another(
    chromium: Browser, console_url: str, platform: Platform, livestream: DeployedLivestream
) -> None:
    with open_window(chromium, console_url) as window:
        page = window.page
        window.open("episodes")
        sign_in(page, "dora")
        panel = find_panel(page, "Episodes")
        panel.get_by_label("Title").fill(TITLE)
        page.get_by_role("button", name="Create").click()
        listed = page.get_by_role("list", name="Episodes, newest first").get_by_role("button", name=re.compile(TITLE))
        expect(listed).to_be_visible()
        sign_in(page, "emil")
        expect(listed).to_have_count(0)
        sign_in(page, "dora")
        expect(listed).to_be_visible()
        assert window.browser_messages == []
    keys = platform.client("dynamodb").scan(TableName=livestream.table)["Items"]
    owners = {item["pk"]["S"].split("#")[1] for item in keys if item.get("title", {}).get("S") == TITLE}
    assert owners == {derive_user_id(ISSUER, "dora")}
