/** The page of a profile as text: well formed, whole, without anything from outside, and safe against names. Seen in Chromium elsewhere. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { profileReport } from '../../sdk/profile/report.js';
import { profileText } from '../../sdk/cli/profileText.js';
import { handMadeProfile } from './profiles.js';

const voidTags = new Set(['meta', 'link', 'input', 'rect', 'circle', 'line']);

/** Tags that are open at the end, or a complaint; scripts and styles are text. */
function unbalanced(html: string): string[] {
  const open: string[] = [];
  const markup = html.replace(/<(script|style)>[^]*?<\/\1>/g, '').replace(/^<!doctype html>/, '');
  for (const [, close, tag, rest] of markup.matchAll(/<(\/?)([a-zA-Z][\w]*)((?:[^"'>]|"[^"]*"|'[^']*')*)>/g)) {
    if (close) {
      const last = open.pop();
      if (last !== tag) return [`</${tag}> closes <${last}>`];
    } else if (!voidTags.has(tag) && !rest.endsWith('/')) open.push(tag);
  }
  return open;
}

for (const count of [1, 2, 7, 100]) {
  test(`${count} steps: each in bars, roofline and table`, () => {
    const p = handMadeProfile(count);
    const html = profileReport(p);
    assert.equal(unbalanced(html), []);
    const [bars, drawing, rows] = [html.match(/<li [^]*?<\/li>/g)!, html.match(/<g class="dot [^]*?<\/g>/g) ?? [], html.match(/<tr data-step="[^]*?<\/tr>/g)!];
    assert.is(bars.length, count);
    assert.is(rows.length, count);
    assert.is(drawing.length, p.steps.filter((s) => s.multiplyAdds > 0).length);
    p.steps.forEach((s, i) => {
      assert.is(bars.filter((b) => b.includes(`data-step="${i + 1}"`) && b.includes(`${s.name} `)).length, 1, s.name);
      assert.ok(rows[i].includes(`>${s.name}</th>`));
      if (s.multiplyAdds > 0) assert.ok(drawing.some((d) => d.includes(`aria-label="${i + 1} ${s.name}: `)));
    });
    assert.match(bars[0], `layer${count - 1} `, 'the slowest first');
    assert.not.match(html, /NaN|Infinity|undefined/);
  });
}

test('one page: nothing from outside, facts of model, machine and date', () => {
  const html = profileReport(handMadeProfile(5, { sourceHash: 'feed', batch: 4 }));
  assert.not.match(html.replace('href="data:,"', ''), /https?:|src=|href=|@import|url\((?!#)/);
  for (const fact of ['hand-made', 'simd128', 'a processor', 'an engine', '2026-01-02T03:04:05.000Z', 'feed', 'float32 50.0', '41 rounds', '60.0 GB/s (64 KB)', 'µs an inference']) assert.ok(html.includes(fact), fact);
  assert.ok(html.length < 40_000, `${html.length} characters`);
});

test('names cannot become markup', () => {
  const p = handMadeProfile(2);
  const name = '</title><script>alert("1")</script><img src=x onerror=\'2\'>&';
  const html = profileReport({ ...p, name, machine: { processor: name }, steps: p.steps.map((s) => ({ ...s, name, nodes: [{ name, op: name }], weights: [{ ...s.weights[0], name }] })) });
  assert.equal(unbalanced(html), []);
  assert.is(html.match(/<script>/g)!.length, 1);
  assert.not.match(html, '<img');
  assert.not.match(html, /onerror='/);
});

test('steps that compute nothing, steps without time', () => {
  const p = handMadeProfile(3);
  const html = profileReport({ ...p, steps: p.steps.slice(2), totals: { ...p.totals, multiplyAdds: 0 } });
  assert.equal(unbalanced(html), []);
  assert.not.match(html, /NaN|Infinity|id="roofline"/);
});

test('the text of the terminal: at most 100 columns, the slowest first, small ones in one row', () => {
  for (const count of [1, 12, 100]) {
    const p = handMadeProfile(count, { name: 'n'.repeat(40) });
    const long = { ...p, steps: p.steps.map((s, i) => ({ ...s, name: `a_rather_long_name_of_layer_${i}`, nodes: s.nodes.concat(s.nodes, s.nodes) })) };
    for (const options of [{ all: false, order: 'time' }, { all: true, order: 'program' }] as const) {
      const lines = profileText(long, options).split('\n');
      for (const line of lines) assert.ok([...line].length <= 100, line);
      const rows = lines.filter((l) => /^ *\d+ {2}a_rathe/.test(l));
      const small = long.steps.filter((s) => s.share < 0.005).length;
      assert.is(rows.length, options.all || small < 2 ? count : count - small);
      assert.match(rows[0], options.order === 'time' ? `${count}  a_rathe` : '1  a_rathe');
      assert.is(lines.some((l) => l.includes('smaller steps')), !options.all && small >= 2);
      assert.ok(lines.some((l) => l.includes('all steps') && l.includes('100.0 %')));
    }
  }
});

test.run();
