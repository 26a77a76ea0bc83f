/** The page's style: light and dark as the reader's system has it, from a phone's width on. */
export const style = `
:root {
  color-scheme: light dark;
  --page: light-dark(#f4f5f8, #11151b);
  --card: light-dark(#ffffff, #1a2029);
  --sunken: light-dark(#f5f6f9, #141920);
  --line: light-dark(#dce0e7, #2c3542);
  --text: light-dark(#1c2430, #e5e9f0);
  --muted: light-dark(#5a6575, #9aa6b6);
  --accent: light-dark(#4355d8, #93a1ff);
  --good: light-dark(#17734a, #6fd3a1);
  --good-soft: light-dark(#e3f4eb, #17352a);
  --bad: light-dark(#b3261e, #ff9d94);
  --bad-soft: light-dark(#fdebe9, #431f1d);
  --known: light-dark(#8a5700, #f0bd68);
  --known-soft: light-dark(#fdf1dc, #3a2d14);
  --mono: ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace;
  font: 15px / 1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1440px; padding: 20px 20px 40px; background: var(--page); color: var(--text); }
h1, h2, p, ul, ol, dl, dd { margin: 0; padding: 0; }
h1 { font-size: 1.25rem; }
h2 { margin-bottom: 10px; font-size: 1rem; }
ul, ol { list-style: none; }
small, .muted { color: var(--muted); font-size: 0.8rem; }
code, pre, time { font-family: var(--mono); font-size: 0.82rem; overflow-wrap: anywhere; }
pre { margin: 0; padding: 8px 10px; border-radius: 6px; background: var(--sunken); white-space: pre-wrap; }
summary { cursor: pointer; }
a { color: inherit; text-decoration: none; }
a:hover { text-decoration: underline; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
header { display: flex; flex-wrap: wrap; gap: 4px 14px; align-items: center; margin-bottom: 16px; }
header p { flex: 1 1 22rem; color: var(--muted); font-variant-numeric: tabular-nums; }
header strong { padding: 2px 12px; border-radius: 99px; font-size: 0.9rem; }
strong.good { background: var(--good-soft); color: var(--good); }
strong.bad { background: var(--bad-soft); color: var(--bad); }
.card { margin-bottom: 16px; padding: 14px 16px; border: 1px solid var(--line); border-radius: 10px; background: var(--card); }
.scroll { margin: 0 -16px; overflow-x: auto; padding: 0 16px; }
.matrix { border-collapse: separate; border-spacing: 4px; font-variant-numeric: tabular-nums; }
.matrix th { padding: 4px 10px; font-weight: 600; text-align: left; white-space: nowrap; }
.matrix thead th { color: var(--muted); font-size: 0.8rem; font-weight: 500; }
.matrix tbody th { position: sticky; left: -16px; z-index: 1; background: var(--card); }
.matrix td { min-width: 5.4rem; padding: 5px 10px; border-radius: 6px; background: var(--sunken); vertical-align: top; }
.matrix small { display: block; font-weight: 400; white-space: nowrap; }
.matrix td small { color: inherit; opacity: 0.85; }
td.good { background: var(--good-soft); color: var(--good); }
td a { white-space: nowrap; }
td.bad { background: var(--bad-soft); color: var(--bad); font-weight: 600; }
td.none { color: var(--muted); }
.problem { margin-top: 8px; border: 1px solid var(--line); border-radius: 8px; padding: 8px 12px; }
.problem > summary code { font-weight: 600; }
.problem > summary span:last-child { color: var(--muted); }
.badge { margin-right: 6px; padding: 1px 8px; border-radius: 99px; font-size: 0.75rem; }
.badge.bad { background: var(--bad-soft); color: var(--bad); }
.badge.known { background: var(--known-soft); color: var(--known); }
.list-problem { color: var(--bad); }
dl { display: grid; grid-template-columns: 7rem minmax(0, 1fr); gap: 8px 12px; margin: 12px 0; }
dt { color: var(--muted); font-size: 0.85rem; }
dd p + p, dd p + pre { margin-top: 4px; }
.trace summary { color: var(--muted); }
.trace ol { margin-top: 8px; border: 1px solid var(--line); border-radius: 8px; overflow: hidden; }
.trace li { display: grid; grid-template-columns: 6.2rem 5.5rem 1.2rem minmax(0, 1fr); gap: 8px; padding: 3px 10px; }
.trace li + li { border-top: 1px solid var(--line); }
.trace time { color: var(--muted); text-align: right; }
.trace b { overflow: hidden; font-size: 0.85rem; font-weight: 600; text-overflow: ellipsis; }
.trace i { font-style: normal; text-align: center; }
.trace .sent i { color: var(--accent); }
.trace .received i { color: var(--good); }
.trace .note { background: var(--sunken); color: var(--muted); }
.trace .step { font-weight: 600; }
.trace .kind { color: var(--accent); font-weight: 600; }
.trace .received .kind { color: var(--good); }
.trace .id { color: var(--muted); font-family: var(--mono); font-size: 0.8rem; }
.cases { padding: 4px 0; }
.cases li { display: grid; grid-template-columns: 1.2rem minmax(12rem, 24rem) minmax(0, 1fr) auto; gap: 8px; padding: 3px 0; }
.cases li + li { border-top: 1px solid var(--line); }
.cases .good > span { color: var(--good); }
.cases .bad > span { color: var(--bad); }
.cases .known > span { color: var(--known); }
.cases ul { margin: 6px 0 10px; }
@media (max-width: 640px) {
  body { padding: 12px 10px 30px; }
  .card { padding: 12px; }
  .scroll { margin: 0 -12px; padding: 0 12px; }
  .matrix tbody th { left: -12px; }
  .matrix td { min-width: 4.6rem; }
  dl { grid-template-columns: minmax(0, 1fr); gap: 2px; }
  dd { margin-bottom: 8px; }
  .trace li { grid-template-columns: auto auto 1fr; gap: 2px 8px; }
  .trace li > div { grid-column: 1 / -1; }
  .trace time { text-align: left; }
  .cases li { grid-template-columns: 1.2rem minmax(0, 1fr); }
  .cases li > div, .cases li > small { grid-column: 2; }
}
@media print {
  body { max-width: none; background: none; }
}
`;
