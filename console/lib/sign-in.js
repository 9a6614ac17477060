// Sign-in dialog. Its fields are emptied when it closes, because they contain secrets.

import { pasted } from "./aws.js";
import { byId } from "./dom.js";
import { show } from "./problems.js";
import { tokenOf } from "./visitor.js";

export function signIn(stack, visitor) {
  const dialog = byId("sign-in");
  const [token, key, credentials, name] = ["token", "key", "credentials", "name"].map((field) => byId(`sign-in-${field}`));
  const { transcription, livestream, meetings, ingestion } = stack.frontend;
  byId("sign-in-local").hidden = !stack.local;
  byId("sign-in-aws").hidden = Boolean(stack.local);
  byId("sign-in-token-part").hidden = !(transcription || meetings || livestream?.authorizer === "jwt");
  byId("sign-in-key-part").hidden = livestream?.authorizer !== "apiKey";
  byId("sign-in-credentials-part").hidden = !ingestion;

  const header = () => {
    byId("who-name").textContent = visitor.shown || "Sign in";
    byId("who").title = visitor.shown ? "Sign in as another user" : "";
  };
  const empty = () => [token, key, credentials].forEach((field) => { field.value = ""; });
  byId("who").addEventListener("click", () => {
    name.value = visitor.name;
    show(byId("sign-in-problem"), null);
    dialog.showModal();
  });
  byId("sign-in-cancel").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", empty);
  byId("sign-in-form").addEventListener("submit", (event) => {
    event.preventDefault();
    try {
      const given = stack.local
        ? { name: name.value.trim() }
        : { token: tokenOf(token.value), apiKey: key.value.trim(), credentials: credentials.value.trim() && pasted(credentials.value) };
      visitor.become(given);
      dialog.close();
    } catch (problem) {
      show(byId("sign-in-problem"), problem);
    }
  });
  visitor.addEventListener("change", header);
  header();
}
