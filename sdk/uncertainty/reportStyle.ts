/** The style of the page of a study of uncertainty: light and dark, from a phone's width on. It has no script. */

export const style = `
:root { color-scheme: light dark; --back: #fff; --text: #1b1f24; --muted: #57606a; --line: #d9dee4; --panel: #f4f6f8; --accent: #1f64ad;
  --set0: #1f64ad; --set1: #b4540a; --set2: #7a3fb0; --set3: #00796b; --set4: #b0306a; --set5: #6b6200;
  --score0: #1b1f24; --score1: #1f64ad; --score2: #b4540a; --score3: #00796b; }
@media (prefers-color-scheme: dark) { :root { --back: #13161a; --text: #e5e8eb; --muted: #9ba6b2; --line: #2f373f; --panel: #1b2026; --accent: #6fb2f6;
  --set0: #6fb2f6; --set1: #f4a259; --set2: #c79bf2; --set3: #4fd1c0; --set4: #f58cb8; --set5: #d8cf5a;
  --score0: #e5e8eb; --score1: #6fb2f6; --score2: #f4a259; --score3: #4fd1c0; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.6rem clamp(0.9rem, 3vw, 2rem) 3rem; max-width: 70rem; background: var(--back); color: var(--text);
  font: 15.5px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.65rem; line-height: 1.2; margin: 0 0 0.25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.6rem 0 0.3rem; }
h3 { font-size: 1rem; margin: 0.8rem 0 0.2rem; }
p { margin: 0.3rem 0; max-width: 46rem; }
.muted { color: var(--muted); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr)); gap: 0.7rem; margin: 1.2rem 0 0; }
.tiles div { background: var(--panel); border-radius: 8px; padding: 0.65rem 0.85rem; }
.tiles dt { color: var(--muted); font-size: 0.86rem; }
.tiles dd { margin: 0; font-size: 1.5rem; line-height: 1.25; font-variant-numeric: tabular-nums; }
.tiles small { display: block; font-size: 0.8rem; line-height: 1.35; color: var(--muted); }
.findings { margin: 1.2rem 0 0; padding: 0.7rem 1rem 0.7rem 2rem; border-left: 3px solid var(--accent); background: var(--panel); border-radius: 0 8px 8px 0; }
.findings li { margin: 0.25rem 0; max-width: 46rem; }
.keys { display: flex; flex-wrap: wrap; gap: 0.2rem 1.1rem; margin: 0.5rem 0; padding: 0; list-style: none; font-size: 0.9rem; }
.keys i { display: inline-block; width: 0.85em; height: 0.85em; border-radius: 50%; margin-right: 0.4em; vertical-align: -0.06em; }
.keys i.score0, .keys i.score1, .keys i.score2, .keys i.score3 { width: 1.8em; height: 0; border-radius: 0; border-top: 2.5px solid; vertical-align: 0.25em; background: none !important; }
.keys i.score1 { border-top-style: dashed; } .keys i.score2 { border-top-style: dotted; } .keys i.score3 { border-top-style: double; border-top-width: 4px; }
${[0, 1, 2, 3, 4, 5].map((i) => `.keys i.set${i} { background: var(--set${i}); } .chart .set${i} { stroke: var(--set${i}); } .chart .area.set${i}, .chart .dot.set${i} { fill: var(--set${i}); }`).join('\n')}
${[0, 1, 2, 3].map((i) => `.keys i.score${i} { border-color: var(--score${i}); } .chart .score${i} { stroke: var(--score${i}); }`).join('\n')}
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: 0.8rem 1.6rem; align-items: end; }
figure { margin: 0; }
figcaption { font-size: 0.95rem; font-weight: 600; margin: 0.5rem 0 0.1rem; }
figcaption span { font-weight: normal; color: var(--muted); }
.chart { display: block; width: 100%; height: auto; overflow: visible; }
.chart.scatter, .chart.risk { max-width: 46rem; }
.chart.reliability { max-width: 28rem; }
.chart text { fill: var(--muted); font-size: 12px; font-variant-numeric: tabular-nums; }
.chart.scatter text, .chart.risk text { font-size: 13px; }
.chart path { fill: none; }
.chart .grid path { stroke: var(--line); stroke-width: 1; }
.chart .area { stroke-width: 1.6; fill-opacity: 0.14; }
.chart .area.set1 { stroke-dasharray: 6 2; } .chart .area.set2 { stroke-dasharray: 2 2; } .chart .area.set3 { stroke-dasharray: 9 2 2 2; }
.chart .dots { stroke-width: 4.5; stroke-linecap: round; stroke-opacity: 0.42; }
.chart .line { stroke-width: 2; }
.chart .line.score1 { stroke-dasharray: 7 3; } .chart .line.score2 { stroke-dasharray: 2 3; } .chart .line.score3 { stroke-dasharray: 9 3 2 3; }
.chart .gap { stroke-width: 5; stroke-opacity: 0.28; }
.chart .dot { fill-opacity: 0.8; stroke: var(--back) !important; stroke-width: 1; }
.chart .dot.mean { fill-opacity: 1; stroke: var(--text) !important; stroke-width: 2; }
.chart .diagonal { stroke: var(--muted); stroke-dasharray: 4 3; }
.chart .ring { fill: none; stroke: var(--text); stroke-width: 2.5; }
details { margin: 0.35rem 0 0; }
summary { color: var(--accent); cursor: pointer; font-size: 0.9rem; width: fit-content; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; margin: 0.4rem 0 0; }
th, td { padding: 0.28rem 0.7rem 0.28rem 0; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
th { color: var(--muted); font-weight: 600; vertical-align: bottom; } tbody th { color: inherit; font-weight: normal; }
th:first-child, td:first-child, .left { text-align: left !important; }
td.best { font-weight: 700; } td.bad { color: var(--set1); }
table.facts th, table.facts td { text-align: left; vertical-align: top; } table.facts td { white-space: normal; overflow-wrap: anywhere; }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(6.2rem, 1fr)); gap: 0.6rem; margin: 0.4rem 0 0; padding: 0; list-style: none; max-width: 62rem; }
.gallery li { background: var(--panel); border-radius: 8px; padding: 0.5rem; font-size: 0.82rem; line-height: 1.35; }
.gallery img { display: block; width: 100%; aspect-ratio: 1; object-fit: contain; image-rendering: pixelated; background: #000; border-radius: 4px; margin-bottom: 0.35rem; }
.gallery b { font-size: 0.95rem; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
@media (max-width: 40rem) {
  body { font-size: 15px; }
  .chart text { font-size: 14px; } .chart.scatter text, .chart.risk text { font-size: 20px; }
  .chart.scatter .dots { stroke-width: 7; }
  .gallery { grid-template-columns: repeat(4, 1fr); gap: 0.4rem; } .gallery li { padding: 0.3rem; font-size: 0.75rem; }
}
@media print { details { display: none; } body { max-width: none; } }
`;
