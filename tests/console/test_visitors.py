"""Visitors who change: what one does is never done as another, however late an answer comes. In a browser, its network played."""

from typing import Any

import pytest

from tests.browser import Visit
from tests.console.fake_page import token
from tests.console.javascript_modules import run

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("modules")]
PLAYED = """
const known = { fetch: globalThis.fetch, XMLHttpRequest: globalThis.XMLHttpRequest };
const [{ Stack }, { Visitor }] = [await import("/lib/stack.js"), await import("/lib/visitor.js")];
const puts = []; // below whose prefix what was put
const late = new Map(); // whose answers are waited for, and how they come
let afterPut = () => {};
const token = (name) => `e30.${btoa(JSON.stringify({ name, exp: Date.now() / 1000 + 3600 })).replaceAll("=", "")}.s`;
globalThis.fetch = async (url, { body }) => {
  const asked = JSON.parse(body);
  const [path, user] = [new URL(url).pathname, asked.subject ?? JSON.parse(atob(asked.token.split(".")[1])).name];
  await late.get(`${path} ${user}`)?.promise;
  const credentials = { accessKeyId: "AKIA", secretAccessKey: "s", sessionToken: "t", renewAfter: "2100-01-01T00:00:00.000Z" };
  const given = { user, ...credentials, bucketName: "b", tableName: "t", prefixes: { raw: `raw/${user}/` } };
  return new Response(JSON.stringify(path === "/login" ? { id_token: token(user) } : given));
};
globalThis.XMLHttpRequest = class extends EventTarget {
  upload = new EventTarget();
  status = 200;
  open(_, url) { this.url = url; }
  setRequestHeader() {}
  getResponseHeader() { return null; }
  send() {
    puts.push(/raw\\/(\\w+)\\/\\w+\\/(\\d+|c)/.exec(this.url).slice(1).join(" "));
    afterPut(puts.length);
    setTimeout(() => this.dispatchEvent(new Event("load")));
  }
};
const host = "http://127.0.0.1:1";
const stack = new Stack({ region: "eu-central-1", meetings: { apiUrl: host } }, { endpoint: host, login: `${host}/login`, subject: "ann" });
const visitor = new Visitor(stack);
const delay = (what) => late.set(what, Promise.withResolvers());
const arrive = (what) => late.get(what).resolve();
const moment = () => new Promise((resolve) => setTimeout(resolve, 5));
const files = [1, 2, 3].map((one) => new File([new Uint8Array([one])], `${one}.webm`, { lastModified: 1 }));
const upload = () => meetings.upload({ title: "weekly" }, files, () => {}).then(() => "whole", (problem) => problem.message);
const meetings = it.Meetings ? new it.Meetings(stack, visitor) : null;
try {
"""
RESTORED = "} finally { Object.assign(globalThis, known); }"


def played(page: Visit, module: str, script: str) -> Any:
    """What a script with somebody signed in gives; `/login` and `/exchange` answer as late as it likes."""
    return run(page, module, f"{PLAYED}{script}{RESTORED}")


def test_an_upload_ends_where_somebody_else_signs_in_and_goes_on_where_its_own_comes_back(page: Visit) -> None:
    script = """
    afterPut = (count) => count === 2 && visitor.become({ name: "bob" });
    const told = [await upload()];
    visitor.become({ name: "ann" });
    return [...told, await upload(), puts];
    """
    stopped, whole, puts = played(page, "meetings", script)
    assert stopped.startswith("Another user has signed in")
    assert (whole, puts) == ("whole", ["ann 00000", "ann 00001", "ann 00002", "ann c"]), "bob has nothing of it"


def test_the_same_files_are_another_meeting_of_another_visitor(page: Visit) -> None:
    script = """
    afterPut = (count) => count === 2 && visitor.become({ name: "bob" });
    await upload();
    puts.length = 0;
    return [await upload(), puts];
    """
    assert played(page, "meetings", script) == ["whole", ["bob 00000", "bob 00001", "bob 00002", "bob c"]]


@pytest.mark.parametrize("answer", ["/login ann", "/exchange ann"])
def test_an_upload_is_not_begun_as_whoever_signs_in_meanwhile(page: Visit, answer: str) -> None:
    script = f"""
    delay("{answer}");
    const began = upload();
    await moment();
    visitor.become({{ name: "bob" }});
    arrive("{answer}");
    return [await began, puts];
    """
    stopped, puts = played(page, "meetings", script)
    assert stopped.startswith("Another user has signed in")
    assert puts == []


@pytest.mark.parametrize("answer", ["/login ann", "/exchange ann"])
def test_an_answer_that_comes_after_somebody_else_has_signed_in_is_not_his(page: Visit, answer: str) -> None:
    script = f"""
    delay("{answer}");
    const before = meetings.access();
    await moment();
    visitor.become({{ name: "bob" }});
    const first = (await meetings.access()).user;
    arrive("{answer}");
    return [first, (await before).user, (await meetings.access()).user, visitor.name];
    """
    assert played(page, "meetings", script) == ["bob"] * 4


BECOMING = """
const visitor = new it.Visitor({ local: null });
let others = 0;
visitor.addEventListener("another", () => { others += 1; });
return given.map((one) => {
  visitor.become(one);
  return others;
});
"""


def test_a_token_of_another_user_or_another_key_is_somebody_else(page: Visit) -> None:
    """Whoever comes where nobody was is not, nor is the same one with a new token."""
    given: list[dict[str, str]] = [
        {"token": token("ann")},
        {"apiKey": "k1"},
        {"token": token("ann", 2)},
        {"token": token("bob")},
        {"apiKey": "k1"},
        {"apiKey": "k2"},
        {"token": "opaque-1"},
        {"token": "opaque-2"},
    ]
    assert run(page, "visitor", BECOMING, given) == [0, 0, 0, 1, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("name", "puts", "end"),
    [("bob", 2, "Another user has signed in before the upload was complete."), ("ann", 3, "whole")],
)
def test_a_video_goes_on_under_a_new_token_and_ends_where_somebody_else_signs_in(
    page: Visit, name: str, puts: int, end: str
) -> None:
    script = f"""
    const parts = [1, 2, 3].map((partNumber) => ({{ partNumber, url: `${{host}}/raw/ann/v/${{partNumber}}` }}));
    const ready = {{ uploadId: "u", expiresSeconds: 3600, multipart: {{ multipartId: "m", partBytes: 2, parts }} }};
    const exchange = globalThis.fetch;
    globalThis.fetch = async (url, asked) => (url.includes("/episodes") ? new Response(JSON.stringify(ready)) : exchange(url, asked));
    afterPut = (count) => count === 2 && visitor.become({{ name: "{name}" }});
    const api = new it.Episodes({{ apiUrl: host, authorizer: "jwt" }}, visitor);
    const video = new File(["12345"], "a.mp4");
    const told = await api.upload("e", "video", video, "video/mp4", () => {{}}).then(() => "whole", (problem) => problem.message);
    return [puts.length, told];
    """
    assert played(page, "episodes", script) == [puts, end]
