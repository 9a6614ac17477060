// Sign-in dialog. Its fields are emptied when it closes, because they contain secrets.

import { parseCredentials } from "./aws-requests.js";
import { byId } from "./dom.js";
import { showProblem } from "./problems.js";
import { parseToken } from "./visitor.js";

export function setUpSignIn(stack, visitor) {
  const dialog = byId("sign-in");
  const [token, credentials, name] = ["token", "credentials", "name"].map((field) => byId(`sign-in-${field}`));
  const { transcription, livestream, meetings, ingestion } = stack.frontend;
  byId("sign-in-local").hidden = !stack.local;
  byId("sign-in-aws").hidden = Boolean(stack.local);
  name.disabled = !stack.local; // because its pattern would refuse the name in a token, which may have a space, and block the form
  byId("sign-in-token-part").hidden = !(transcription || meetings || livestream?.authorizer === "jwt");
  byId("sign-in-credentials-part").hidden = !ingestion;

  const showName = () => {
    byId("who-name").textContent = visitor.displayName || "Sign in";
    byId("who").title = visitor.displayName ? "Sign in as another user" : "";
  };
  const clearSecrets = () => [token, credentials].forEach((field) => { field.value = ""; });
  byId("who").addEventListener("click", () => {
    name.value = visitor.name;
    showProblem(byId("sign-in-problem"), null);
    dialog.showModal();
  });
  byId("sign-in-cancel").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", clearSecrets);
  byId("sign-in-form").addEventListener("submit", (event) => {
    event.preventDefault();
    try {
      const values = stack.local
        ? { name: name.value.trim() }
        : { token: parseToken(token.value), credentials: credentials.value.trim() && parseCredentials(credentials.value) };
      visitor.signIn(values);
      dialog.close();
    } catch (problem) {
      showProblem(byId("sign-in-problem"), problem);
    }
  });
  visitor.addEventListener("signin", showName);
  showName();
}
