/** How the element looks: tokens for both themes, then one part after the other. */
import { colours } from "./colours.ts";

/** Colours and sizes; a page overrides them on the element. */
const tokens = `
:host { ${colours}  --font: Inter, ui-sans-serif, system-ui, -apple-system, "Segoe UI", sans-serif;
  --gap: 24px;
  display: block;
  container-type: inline-size;
  background: var(--paper);
  color: var(--ink);
  font: 14px/1.45 var(--font);
  font-variant-numeric: tabular-nums;
  -webkit-font-smoothing: antialiased;
  text-align: start;
}
:host([theme="light"]) { color-scheme: light; }
:host([theme="dark"]) { color-scheme: dark; }
:host([hidden]) { display: none; }
*, *::before, *::after { box-sizing: border-box; }
h2, h3, p, dl, dd, figure { margin: 0; }
.probe { display: none; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 3px; }
`;

const head = `
.monitor { padding: 20px var(--gap) var(--gap); display: grid; gap: var(--gap); grid-template-columns: minmax(0, 1fr); }
.head { display: flex; flex-wrap: wrap; align-items: center; gap: 10px 20px; }
.status { display: flex; align-items: baseline; gap: 10px; font-weight: 600; font-size: 16px; letter-spacing: -0.01em; }
.dot { width: 9px; height: 9px; border-radius: 50%; background: var(--strong-line); align-self: center; flex: none; }
[data-status="running"] .dot { background: var(--accent); animation: breathe 2.4s ease-in-out infinite; }
[data-status="finished"] .dot { background: var(--accent); }
[data-status="paused"] .dot { background: var(--warning); }
[data-status="failed"] .dot, [data-status="nonFinite"] .dot { background: var(--danger); }
@keyframes breathe { 50% { box-shadow: 0 0 0 5px var(--accent-soft); } }
@media (prefers-reduced-motion: reduce) { .dot { animation: none !important; } }
.place { color: var(--muted); font-weight: 400; font-size: 14px; letter-spacing: 0; }
.controls { display: flex; flex-wrap: wrap; align-items: center; gap: 8px; margin-inline-start: auto; }
button, input, select { font: inherit; color: inherit; }
button { height: 32px; padding: 0 12px; border: 1px solid var(--strong-line); border-radius: 7px; background: var(--surface);
  font-weight: 500; cursor: pointer; display: inline-flex; align-items: center; gap: 7px; transition: border-color .12s, background .12s; }
button:hover:not(:disabled) { border-color: var(--ink); }
button:active:not(:disabled) { background: var(--accent-soft); }
button:disabled { opacity: .45; cursor: default; }
button svg { width: 12px; height: 12px; fill: currentColor; flex: none; }
.danger:hover:not(:disabled) { border-color: var(--danger); color: var(--danger); }
.rate { display: flex; align-items: center; gap: 8px; color: var(--muted); }
input, select { height: 32px; padding: 0 10px; border: 1px solid var(--strong-line); border-radius: 7px; background: var(--surface); }
input { width: 104px; font-variant-numeric: tabular-nums; color: var(--ink); }
input:user-invalid { border-color: var(--danger); }
.quiet { height: 22px; padding: 0 8px; border-color: transparent; border-radius: 5px; background: none; color: var(--muted);
  font-size: 12px; }
.quiet[aria-pressed="true"] { color: var(--accent); background: var(--accent-soft); }
.progress { height: 3px; background: var(--line); border-radius: 2px; overflow: hidden; flex-basis: 100%; }
.progress > div { height: 100%; width: 0; background: var(--accent); border-radius: 2px; transition: width .2s linear; }
.error { color: var(--danger); flex-basis: 100%; overflow-wrap: anywhere; }
`;

const figures = `
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(132px, 1fr)); gap: 18px 0;
  border-block-end: 1px solid var(--line); padding-block-end: 18px; }
.figures > div { padding-inline: 16px; border-inline-start: 1px solid var(--line); min-width: 0; }
.figures > div:first-child { padding-inline-start: 0; border: 0; }
.figures dt { color: var(--muted); font-size: 12.5px; }
.figures dd { font-size: 21px; line-height: 1.3; letter-spacing: -0.015em; font-weight: 500; white-space: nowrap; }
.figures small { display: block; color: var(--muted); font-size: 12px; letter-spacing: 0; font-weight: 400; line-height: 1.35;
  white-space: normal; overflow-wrap: anywhere; }
@container (max-width: 560px) {
  .monitor { --gap: 16px; }
  .figures { grid-template-columns: 1fr 1fr; row-gap: 14px; }
  .figures > div:nth-child(odd) { padding-inline-start: 0; border: 0; }
  .controls { margin-inline-start: 0; flex: 1 1 100%; }
  .controls button { flex: 1; justify-content: center; }
  .rate { flex: 1 1 100%; }
  .rate input { flex: 1; }
  .rate button { flex: 0 1 auto; }
}
`;

const charts = `
.panel h2 { font-size: 15px; font-weight: 600; letter-spacing: -0.01em; }
.panel > header { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 14px; margin-bottom: 12px; }
.panel > header select { margin-inline-start: auto; max-width: 60%; height: 28px; padding: 0 6px; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 280px), 1fr)); gap: 20px var(--gap); }
.chart figcaption { display: flex; align-items: center; gap: 10px; min-height: 24px; margin-bottom: 4px; }
.chart h3 { font-size: 13px; font-weight: 600; white-space: nowrap; }
.reading { color: var(--muted); font-size: 12.5px; margin-inline-start: auto; white-space: pre; overflow: hidden;
  text-overflow: ellipsis; }
output.reading span + span { margin-inline-start: 1.2ch; }
.plot { position: relative; min-width: 0; border-radius: 4px; }
.uplot { width: min-content; }
.u-wrap { position: relative; user-select: none; }
.u-over, .u-under, .u-axis { position: absolute; }
.u-under { overflow: hidden; }
.uplot canvas { display: block; width: 100%; height: 100%; }
.u-cursor-x, .u-cursor-y, .u-cursor-pt, .u-select { position: absolute; left: 0; top: 0; pointer-events: none; }
.u-hz .u-cursor-x { height: 100%; border-inline-end: 1px solid var(--strong-line); }
.u-cursor-pt { border-radius: 50%; border: 0 solid; background-clip: padding-box !important; }
.uplot .u-off { display: none; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 16px; color: var(--muted); font-size: 12.5px; }
.legend span { display: inline-flex; align-items: center; gap: 6px; }
.legend i { width: 10px; height: 10px; border-radius: 3px; }
.empty { color: var(--muted); }
`;

const panels = `
.phases { display: grid; gap: 8px; }
.stack { display: flex; height: 10px; border-radius: 3px; overflow: hidden; background: var(--line); gap: 1px; }
.stack > i { display: block; height: 100%; transition: flex-basis .2s; flex: 0 0 0; }
svg { display: block; overflow: visible; }
svg text { font: 11px var(--font); fill: var(--muted); }
.ridges path { fill: color-mix(in srgb, var(--accent) 9%, var(--paper)); stroke: var(--accent); stroke-width: 1; }
.ridges path.latest { stroke-width: 1.75; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 280px), 1fr)); gap: 20px var(--gap); }
.range { display: flex; justify-content: space-between; color: var(--muted); font-size: 11.5px; padding-block: 4px; }
.trace polyline { fill: none; stroke: var(--accent); stroke-width: 1.5; }
.scroll { overflow: auto; max-width: 100%; border-radius: 4px; }
[data-kind] { --kind: var(--series-1); }
[data-kind="loop"] { --kind: var(--series-2); }
[data-kind="routine"] { --kind: var(--series-3); }
[data-kind="composite"] { --kind: var(--series-4); }
.tall { max-height: min(70vh, 560px); border: 1px solid var(--line); padding: 12px; }
.tall table thead th { position: sticky; top: -12px; background: var(--paper); }
.kernel rect { fill: var(--kind); opacity: .82; }
.kernel:hover rect { opacity: 1; }
.kinds i { background: var(--kind); }
.memory { fill: var(--accent-soft); stroke: var(--accent); stroke-width: 1.25; }
.graph .edge { fill: none; stroke: var(--strong-line); stroke-width: 1; }
.graph rect { fill: var(--surface); }
.graph .vertex rect { stroke: var(--kind); }
.graph text.name { fill: var(--ink); }
table { border-collapse: collapse; width: 100%; font-size: 13px; }
th { text-align: start; font-weight: 500; color: var(--muted); font-size: 12.5px; }
th, td { padding: 5px 16px 5px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.figure, th.figure { text-align: end; white-space: nowrap; }
td.text { overflow-wrap: anywhere; white-space: pre-wrap; }
tr.wrong td:first-child { box-shadow: inset 2px 0 var(--danger); padding-inline-start: 10px; }
details summary { cursor: pointer; color: var(--muted); font-size: 13px; width: fit-content; padding: 4px 0; }
`;

/** The styles of the element, all of them. */
export const styles: string = tokens + head + figures + charts + panels;
