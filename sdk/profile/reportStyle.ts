/** The style and the script of a profile's page. The script sorts bars and shows details; the page reads well without it. */

export const style = `
:root { color-scheme: light dark; --back: #fff; --text: #1b1f24; --muted: #57606a; --line: #d5dae0; --panel: #f5f7f9;
  --compute: #1f64ad; --compute-rest: #d3e4f5; --memory: #a44b00; --memory-rest: #f8e3cf; }
@media (prefers-color-scheme: dark) { :root { --back: #14171b; --text: #e4e7ea; --muted: #9aa5b1; --line: #333b44; --panel: #1c2127;
  --compute: #6fb2f6; --compute-rest: #213a52; --memory: #f2a65a; --memory-rest: #4b3319; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem clamp(0.8rem, 3vw, 2rem) 3rem; max-width: 68rem; background: var(--back); color: var(--text);
  font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 0.2rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 0.4rem; }
p { margin: 0.3rem 0; }
.muted { color: var(--muted); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)); gap: 0.7rem; margin: 1.1rem 0 0; padding: 0; }
.tiles div { background: var(--panel); border-radius: 6px; padding: 0.6rem 0.8rem; }
.tiles dt { color: var(--muted); font-size: 0.85rem; }
.tiles dd { margin: 0; font-size: 1.35rem; font-variant-numeric: tabular-nums; }
.tiles small { display: block; font-size: 0.8rem; color: var(--muted); }
fieldset { border: 0; padding: 0; margin: 0.4rem 0 0.6rem; display: flex; flex-wrap: wrap; gap: 0.3rem 1.2rem; }
legend { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; }
.key { display: inline-block; width: 1.6em; height: 0.8em; border: 1px solid; border-radius: 2px; vertical-align: baseline; }
.key.compute { background: var(--compute); border-color: var(--compute); } .key.memory { background: var(--memory); border-color: var(--memory); }
.key.rest { background: none; border-color: var(--muted); }
.bars { list-style: none; margin: 0; padding: 0; }
.bars li { display: grid; grid-template-columns: 2.2rem minmax(6rem, 15rem) 1fr 9.5rem; gap: 0 0.7rem; align-items: center; padding: 0.12rem 0.2rem; border-radius: 4px; }
.bars .number { color: var(--muted); text-align: right; }
.bars .name { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.bars .value { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.bars .value span { display: inline-block; min-width: 3.8rem; color: var(--muted); }
.bar { height: 1.05rem; min-width: 2px; border: 1px solid; border-radius: 3px; overflow: hidden; }
.bar i { display: block; height: 100%; }
.compute .bar { border-color: var(--compute); background: var(--compute-rest); } .compute .bar i { background: var(--compute); }
.memory .bar { border-color: var(--memory); background: var(--memory-rest); } .memory .bar i { background: var(--memory); }
body:has(#small:not(:checked)) .bars .small { display: none; }
.seen, tbody tr:hover { background: var(--panel); }
.scroll { overflow-x: auto; }
.roofline { display: block; width: 100%; height: auto; margin-top: 0.5rem; }
.roofline text { fill: var(--muted); font-size: 12.5px; }
.roofline .grid line { stroke: var(--line); }
.roofline .roofs line { stroke-width: 2; } .roofs .memory { stroke: var(--memory); } .roofs .compute { stroke: var(--compute); }
.roofline .roofnames .memory { fill: var(--memory); } .roofline .roofnames .compute { fill: var(--compute); }
.roofnames text { paint-order: stroke; stroke: var(--back); stroke-width: 4px; }
.dot circle { stroke-width: 1.5; fill-opacity: 0.75; } .dot { outline: none; cursor: default; }
.dot.compute circle { fill: var(--compute); stroke: var(--compute); } .dot.memory circle { fill: var(--memory); stroke: var(--memory); }
.dot.hollow circle { fill: var(--back); fill-opacity: 0.6; }
.roofline .numbers text { fill: var(--back); font-size: 11.5px; font-weight: 600; pointer-events: none; }
.dot:hover circle, .dot:focus circle, .dot.seen circle { stroke: var(--text); stroke-width: 2.5; }
.details { min-height: 3em; margin-top: 0.4rem; padding: 0.45rem 0.7rem; background: var(--panel); border-radius: 6px; }
table { border-collapse: collapse; font-size: 0.88rem; font-variant-numeric: tabular-nums; width: 100%; }
th, td { padding: 0.28rem 0.55rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
th { color: var(--muted); font-weight: 600; vertical-align: bottom; } tbody th { color: inherit; font-weight: normal; }
th.left, td.left { text-align: left; } tfoot td, tfoot th { font-weight: 600; color: inherit; }
table.facts { width: auto; } table.facts th, table.facts td { text-align: left; } table.facts td { white-space: normal; overflow-wrap: anywhere; }
tbody th { max-width: 16rem; overflow: hidden; text-overflow: ellipsis; }
@media (max-width: 40rem) {
  .bars li { grid-template-columns: 1.8rem 1fr 7.6rem; } .bars .bar { grid-column: 2 / 4; grid-row: 2; height: 0.75rem; margin-bottom: 0.25rem; }
  .bars .value span { min-width: 3.4rem; }
  .roofline text { font-size: 20px; } .roofline .numbers { display: none; } .roofline .roofnames text { font-size: 17px; }
  tbody th { max-width: 9rem; }
}
@media print { body { max-width: none; } .bars .small { display: grid !important; } fieldset { display: none; } }
`;

export const script = `
(() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const list = document.querySelector('.bars');
  const details = document.querySelector('.details');
  const asFound = details && details.textContent;
  const sort = (key) => list.append(...all('.bars li').sort((a, b) => a.dataset[key] - b.dataset[key]));
  for (const radio of all('input[name=order]')) radio.addEventListener('change', () => sort(radio.value));
  const see = (number) => {
    for (const e of all('.seen')) e.classList.remove('seen');
    for (const e of all('[data-step="' + number + '"]')) e.classList.add('seen');
    const dot = document.querySelector('.dot[data-step="' + number + '"]');
    if (details) details.textContent = dot ? dot.getAttribute('aria-label') : asFound;
  };
  for (const e of all('[data-step]')) {
    e.addEventListener('pointerenter', () => see(e.dataset.step));
    e.addEventListener('pointerleave', () => see(''));
    e.addEventListener('focus', () => see(e.dataset.step));
    e.addEventListener('blur', () => see(''));
  }
})();
`;
