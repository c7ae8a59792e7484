/** The studio's page: a list of runs, the one that is chosen, and those it is compared with. */
import { defineTrainingMonitor } from "../element/training-monitor-element.ts";
import { fetchRuns, type RunInfo, sendCommand } from "./api.ts";
import { showComparison } from "./comparison.ts";
import { Feed } from "./feed.ts";
import { RunList } from "./run-list.ts";
import { makeThemeSwitch } from "./theme.ts";

const listMilliseconds = 2000;

defineTrainingMonitor();
const element = find("mlx-training-monitor");
const notice = find("#notice");
const comparison = find("#comparison");
find("#theme").append(makeThemeSwitch());

const feeds = new Map<string, Feed>();
let runs: readonly RunInfo[] = [];
let endComparison = (): void => {};
let shown = "";
const list = new RunList(find("#runs"), {
  choose: (name) =>
    go(
      name,
      [...comparedRuns()].filter((other) => other !== name),
    ),
  compare: (name, isCompared) => {
    const others = [...comparedRuns()].filter((other) => other !== name);
    go(chosenRun(), isCompared ? [...others, name] : others);
  },
});
addEventListener("hashchange", show);
await refresh();

/** What the address says: `#run` and the runs beside it, so that a view can be kept and sent. */
function addressed(): readonly string[] {
  return location.hash
    .slice(1)
    .split("&")
    .filter((name) => name !== "")
    .map(decodeURIComponent);
}

function chosenRun(): string | null {
  return addressed()[0] ?? runs[0]?.name ?? null;
}

function comparedRuns(): ReadonlySet<string> {
  return new Set(addressed().slice(1));
}

function go(name: string | null, others: readonly string[]): void {
  if (name !== null) location.hash = [name, ...others].map(encodeURIComponent).join("&");
}

/** Looks for new runs, now and then. */
async function refresh(): Promise<void> {
  try {
    const { directory, runs: found } = await fetchRuns();
    runs = found;
    // The end of the path tells more, so that it is the start that is cut off.
    find("#directory").textContent = `\u2066${directory}\u2069`;
    notice.textContent = "";
    show();
    for (const { name, isLive } of runs) {
      const feed = feeds.get(name);
      if (feed) feed.isLive = isLive;
    }
    if (runs.length === 0) {
      notice.textContent = `There are no runs in ${directory} yet. A training given the option log, such as log: "runs/first", appears here as soon as it begins.`;
    }
  } catch (error) {
    notice.textContent = `The studio does not answer: ${error instanceof Error ? error.message : error}. Is it still running?`;
  }
  setTimeout(() => void refresh(), listMilliseconds);
}

/** Shows what the address says. */
function show(): void {
  const chosen = chosenRun();
  const known = new Set(runs.map(({ name }) => name));
  const others = [...comparedRuns()].filter((name) => known.has(name));
  list.show(runs, chosen, new Set(others));
  const names = chosen === null || !known.has(chosen) ? [] : [chosen, ...others];
  if (names.join("&") === shown) return;
  shown = names.join("&");
  for (const [name, feed] of feeds) {
    if (names.includes(name)) continue;
    feed.close();
    feeds.delete(name);
  }
  const followed = names.map(feedOf);
  const [main, ...beside] = followed;
  element.setAttribute("label", main?.name ?? "");
  element.monitor = main?.monitor ?? null;
  element.controls = main ? { apply: (command) => sendCommand(main.name, command) } : null;
  element.comparisons = beside;
  endComparison();
  endComparison = showComparison(comparison, followed);
  document.title = main ? `${main.name} · mlx-ts studio` : "mlx-ts studio";
}

function feedOf(name: string): Feed {
  const known = feeds.get(name);
  if (known) return known;
  const made = new Feed(name, (problem) => {
    notice.textContent = problem;
  });
  feeds.set(name, made);
  return made;
}

function find<K extends keyof HTMLElementTagNameMap>(selector: K): HTMLElementTagNameMap[K];
function find(selector: string): HTMLElement;
function find(selector: string): HTMLElement {
  const found = document.querySelector<HTMLElement>(selector);
  if (!found) throw new Error(`the page has no ${selector}`);
  return found;
}
