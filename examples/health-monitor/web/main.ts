/** The page: its state, its session, and the panels that show them. */
import { startAnalyst } from "./analysis/remote-analyst.ts";
import { element } from "./elements.ts";
import { Learning } from "./learning.ts";
import { workOffline } from "./offline.ts";
import { showAlarms } from "./panels/alarm-panel.ts";
import { showLearning } from "./panels/learn-panel.ts";
import { showMonitor } from "./panels/monitor-panel.ts";
import { showSources } from "./panels/source-panel.ts";
import { Session } from "./session.ts";
import { State } from "./state.ts";
import { StrapSession } from "./strap-session.ts";

const state = new State();
const analyst = await startAnalyst();
const session = new Session(state, analyst);
const learning = new Learning(state, analyst, session.judging);
showSources(state, session, new StrapSession(state, session, analyst));
const monitor = showMonitor(state, session);
showLearning(state, learning, session);
showAlarms(state, session);

const { documentElement } = document;
const isDark = matchMedia("(prefers-color-scheme: dark)");
element("theme", HTMLButtonElement).addEventListener("click", () => {
  const { theme = isDark.matches ? "dark" : "light" } = documentElement.dataset;
  documentElement.dataset.theme = theme === "dark" ? "light" : "dark";
  monitor.refreshPalette();
});
isDark.addEventListener("change", () => monitor.refreshPalette());

void analyst.ended.then((failure) => {
  if (!failure) return;
  const reload = { text: "Reload", run: () => location.reload() };
  state.notice.value = { kind: "error", text: `${failure.message}. What was kept is still there.`, actions: [reload] };
});
addEventListener("pagehide", () => session.keepSettings());
void session.restore();
workOffline(state);
