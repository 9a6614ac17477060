// Entry point of the page: loads the stack's outputs, sets up sign-in, and starts one panel for each backend.

import { byId, el, setChildren } from "./lib/dom.js";
import { showProblem } from "./lib/problems.js";
import { showLocalParts } from "./lib/local-platform.js";
import { loadStack } from "./lib/stack.js";
import { setUpSignIn } from "./lib/sign-in.js";
import { setUpTabs } from "./lib/tabs.js";
import { Visitor } from "./lib/visitor.js";
import { captions } from "./panels/captions.js";
import { episodes } from "./panels/episodes.js";
import { files } from "./panels/files.js";
import { lectures } from "./panels/lectures.js";
import { meetings } from "./panels/meetings.js";

// Panel id, panel function and title of each subsystem, by its name in the stack output.
const PANELS = {
  ingestion: ["files", files, "Ingestion"],
  transcription: ["captions", captions, "Transcription"],
  voiceQa: ["lectures", lectures, "Voice Q&A"],
  livestream: ["episodes", episodes, "Livestream"],
  meetings: ["meetings", meetings, "Meetings"],
};

async function start() {
  const stack = await loadStack();
  const visitor = new Visitor(stack);
  byId("stack").append(stack.frontend.environment, el("span", { class: "region", text: ` · ${stack.region}` }));
  showLocalParts(stack);
  setUpSignIn(stack, visitor);
  visitor.addEventListener("userchange", () => setChildren(byId("spoken")));
  const loaders = {};
  for (const [subsystem, [panel, setUpPanel, title]] of Object.entries(PANELS)) {
    const settings = stack.frontend[subsystem];
    const section = byId(`panel-${panel}`);
    section.querySelector(".on").hidden = !settings;
    section.querySelector(".off").hidden = Boolean(settings);
    section.querySelector(".off").textContent = `${title} is disabled in this stack.`;
    byId(`tab-${panel}`).classList.toggle("absent", !settings);
    if (settings) loaders[panel] = setUpPanel({ stack, visitor, settings });
  }
  // A panel loads its data when it is shown.
  setUpTabs(Object.values(PANELS).map(([panel]) => panel), (panel) => loaders[panel]?.());
}

start().then(
  () => { document.documentElement.dataset.ready = "yes"; },
  (problem) => {
    showProblem(byId("fatal"), problem);
    document.documentElement.dataset.ready = "no";
  },
);
