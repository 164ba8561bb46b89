/** The style of a circuit's report: light and dark, from a phone's width on. It has no script. */

export const style = `
:root { color-scheme: light dark; --back: #fff; --text: #1b1f24; --muted: #57606a; --line: #d9dee4; --panel: #f4f6f8; --accent: #1f64ad; --rest: #dce6f0;
  --read: #c9cfd6; --warn: #b4540a; --over: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --back: #13161a; --text: #e5e8eb; --muted: #9ba6b2; --line: #2f373f; --panel: #1b2026; --accent: #6fb2f6; --rest: #243341;
  --read: #454e58; --warn: #f4a259; --over: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.6rem clamp(0.9rem, 3vw, 2rem) 3rem; max-width: 66rem; background: var(--back); color: var(--text); font: 15.5px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.65rem; line-height: 1.2; margin: 0 0 0.25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.4rem 0 0.3rem; }
p { margin: 0.3rem 0; max-width: 48rem; }
.muted { color: var(--muted); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.2rem, 1fr)); gap: 0.7rem; margin: 1.2rem 0 0; }
.tiles div { background: var(--panel); border-radius: 8px; padding: 0.65rem 0.85rem; }
.tiles dt { color: var(--muted); font-size: 0.86rem; }
.tiles dd { margin: 0; font-size: 1.5rem; line-height: 1.25; font-variant-numeric: tabular-nums; }
.tiles small { display: block; font-size: 0.8rem; line-height: 1.35; color: var(--muted); }
.notes { margin: 1.2rem 0 0; padding: 0.7rem 1rem 0.7rem 2rem; border-left: 3px solid var(--warn); background: var(--panel); border-radius: 0 8px 8px 0; }
.notes li { margin: 0.25rem 0; max-width: 48rem; }
.bars { list-style: none; margin: 0.6rem 0 0; padding: 0; }
.bars li { display: grid; grid-template-columns: 5.5rem 1fr 13rem; gap: 0 0.8rem; align-items: center; padding: 0.2rem 0; }
.bars .value { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.bar { display: block; position: relative; height: 1.1rem; background: var(--rest); border-radius: 3px; overflow: hidden; }
.bar i { position: absolute; inset: 0 auto 0 0; background: var(--accent); } .over .bar i { background: var(--over); } .over .value { color: var(--over); font-weight: 600; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; margin: 0.5rem 0 0; width: 100%; }
th, td { padding: 0.3rem 0.8rem 0.3rem 0; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); vertical-align: baseline; }
th:last-child, td:last-child { padding-right: 0; }
th { color: var(--muted); font-weight: 600; } tbody th { color: inherit; font-weight: normal; overflow-wrap: anywhere; }
th:first-child, .left { text-align: left; }
tfoot th, tfoot td { font-weight: 600; border-bottom: 0; color: inherit; }
td .mini { display: inline-block; width: 3.2rem; height: 0.55rem; margin-left: 0.5rem; background: var(--rest); border-radius: 2px; overflow: hidden; vertical-align: baseline; }
td .mini i { display: block; height: 100%; background: var(--accent); }
table.words td, table.words th { white-space: normal; text-align: left; vertical-align: top; } table.words th { min-width: 11rem; width: 32%; } table.words tr.idle { color: var(--muted); }
.lanes { list-style: none; margin: 0.6rem 0 0; padding: 0; }
.lanes li { display: grid; grid-template-columns: minmax(5rem, 11rem) 1fr; gap: 0 0.8rem; align-items: center; padding: 0.12rem 0; }
.lanes .name { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font-size: 0.9rem; }
.lanes .bar { height: 0.9rem; background: none; border-left: 1px solid var(--line); border-right: 1px solid var(--line); border-radius: 0; }
.lanes .bar b { position: absolute; top: 0; bottom: 0; background: var(--read); border-radius: 2px; min-width: 2px; }
.lanes .bar i { border-radius: 2px; min-width: 2px; inset: 0 auto 0 auto; }
.key { display: inline-block; width: 1.4em; height: 0.75em; border-radius: 2px; background: var(--accent); } .key.wait { background: var(--read); }
details { margin: 0.5rem 0 0; } summary { color: var(--accent); cursor: pointer; width: fit-content; }
pre { background: var(--panel); border-radius: 8px; padding: 0.7rem 0.9rem; overflow-x: auto; font: 0.82rem/1.45 ui-monospace, monospace; margin: 0.4rem 0; }
code { font: 0.92em ui-monospace, monospace; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
@media (max-width: 40rem) {
  body { font-size: 15px; }
  .bars li { grid-template-columns: 4.6rem 1fr; } .bars .bar { grid-column: 1 / -1; grid-row: 2; } .bars .value { grid-column: 2; }
  .lanes li { grid-template-columns: 1fr; padding: 0.25rem 0; }
  table.words, table.words tbody, table.words tr, table.words th, table.words td { display: block; width: 100%; } table.words th { border: 0; padding-bottom: 0; font-weight: 600; } table.words thead { display: none; }
}
`;
