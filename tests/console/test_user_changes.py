"""Tests of changes of the signed-in user.

An action of one user is never completed for another, even if a response arrives after the change.
"""

from typing import Any

import pytest

from tests.browser import ConsoleWindow
from tests.console.fake_stack import make_token, run_script

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("modules")]
FAKE_NETWORK = """
// Replace `fetch` and XMLHttpRequest, and sign ann in. The responses of `/login` (a token) and `/exchange` (AWS credentials) can be delayed.
const originals = { fetch: globalThis.fetch, XMLHttpRequest: globalThis.XMLHttpRequest };
const [{ Stack }, { Visitor }] = [await import("/lib/stack.js"), await import("/lib/visitor.js")];
const puts = []; // user and name of each uploaded object; `c` is complete.json
const delays = new Map(); // promises of delayed responses; a key consists of path and user
let afterPut = () => {}; // called with the number of uploads
const token = (name) => `e30.${btoa(JSON.stringify({ name, exp: Date.now() / 1000 + 3600 })).replaceAll("=", "")}.s`;
globalThis.fetch = async (url, { body }) => {
  const request = JSON.parse(body);
  const [path, user] = [new URL(url).pathname, request.subject ?? JSON.parse(atob(request.token.split(".")[1])).name];
  await delays.get(`${path} ${user}`)?.promise;
  const credentials = { accessKeyId: "AKIA", secretAccessKey: "s", sessionToken: "t", renewAfter: "2100-01-01T00:00:00.000Z" };
  const exchange = { user, ...credentials, bucketName: "b", tableName: "t" };
  return new Response(JSON.stringify(path === "/login" ? { id_token: token(user) } : exchange));
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
const delay = (response) => delays.set(response, Promise.withResolvers());
const release = (response) => delays.get(response).resolve();
const shortPause = () => new Promise((resolve) => setTimeout(resolve, 5));
const files = [1, 2, 3].map((number) => new File([new Uint8Array([number])], `${number}.webm`, { lastModified: 1 }));
const upload = () => meetings.upload({ title: "weekly" }, files, () => {}).then(() => "uploaded", (problem) => problem.message);
const meetings = module.MeetingsApi ? new module.MeetingsApi(stack, visitor) : null;
try {
"""


def run_signed_in(window: ConsoleWindow, module: str, script: str) -> Any:
    """Run a script in which ann is signed in, with the functions and variables of `FAKE_NETWORK`."""
    restore_network = "} finally { Object.assign(globalThis, originals); }"
    return run_script(window, module, FAKE_NETWORK + script + restore_network)


def test_an_upload_stops_when_another_user_signs_in_and_continues_when_its_user_returns(window: ConsoleWindow) -> None:
    script = """
    afterPut = (count) => count === 2 && visitor.signIn({ name: "bob" });
    const results = [await upload()];
    visitor.signIn({ name: "ann" });
    return [...results, await upload(), puts];
    """
    stopped, completed, puts = run_signed_in(window, "meetings-api", script)
    assert stopped.startswith("Another user has signed in")
    assert completed == "uploaded"
    assert puts == ["ann 00000", "ann 00001", "ann 00002", "ann c"], "nothing is uploaded for bob"


@pytest.mark.parametrize("delayed_response", ["/login ann", "/exchange ann"])
def test_a_response_that_arrives_after_a_change_of_the_user_is_not_used(
    window: ConsoleWindow, delayed_response: str
) -> None:
    script = f"""
    delay("{delayed_response}");
    const accessOfAnn = meetings.access();
    await shortPause();
    visitor.signIn({{ name: "bob" }});
    const userBefore = (await meetings.access()).user;
    release("{delayed_response}");
    return [userBefore, (await accessOfAnn).user, (await meetings.access()).user, visitor.name];
    """
    assert run_signed_in(window, "meetings-api", script) == ["bob"] * 4


def test_a_token_of_another_user_is_a_change_of_the_user(window: ConsoleWindow) -> None:
    """The first token is no change, and neither is a new token of the same user. A token that names no user counts as
    a user of its own.
    """
    script = """
    const visitor = new module.Visitor({ local: null });
    return input.map((token) => { visitor.signIn({ token }); return visitor.userChangeCount; });
    """
    tokens = [make_token("ann"), make_token("ann", number=2), make_token("bob"), "opaque-1", "opaque-2"]
    assert run_script(window, "visitor", script, tokens) == [0, 0, 1, 2, 3]


@pytest.mark.parametrize(
    ("new_name", "put_count", "result"),
    [("bob", 2, "Another user has signed in before the upload was complete."), ("ann", 3, "uploaded")],
)
def test_a_video_upload_continues_with_a_new_token_and_stops_for_another_user(
    window: ConsoleWindow, new_name: str, put_count: int, result: str
) -> None:
    script = f"""
    const urls = [1, 2, 3].map((partNumber) => `${{host}}/raw/ann/v/${{partNumber}}`);
    const ready = {{ uploadId: "u", expiresSeconds: 3600, multipart: {{ partBytes: 2, urls }} }};
    const fakeFetch = globalThis.fetch;
    globalThis.fetch = async (url, options) => (url.includes("/episodes") ? new Response(JSON.stringify(ready)) : fakeFetch(url, options));
    afterPut = (count) => count === 2 && visitor.signIn({{ name: "{new_name}" }});
    const api = new module.LivestreamApi({{ apiUrl: host, authorizer: "jwt" }}, visitor);
    const video = new File(["12345"], "a.mp4");
    const result = await api.upload("e", "video", video, "video/mp4", () => {{}}).then(() => "uploaded", (problem) => problem.message);
    return [puts.length, result];
    """
    assert run_signed_in(window, "livestream-api", script) == [put_count, result]
