/**
 * Tuning for a machine that is not this one: the search's first candidates of every kernel as one WASI command or one web
 * page, which measures itself there; the times come back as JSON and give the tuning file here.
 */
import { assemblePrograms, assembleTrial } from '../../codegen/compile.js';
import { fail } from '../../codegen/ir/diagnostic.js';
import { hashText } from '../../codegen/ir/hash.js';
import { numberTensors, type TuningFile, type TuningRecord } from '../../codegen/schedule/records.js';
import { candidates, defaultCandidate, type Candidate, type SearchSpace, type Site } from '../../codegen/schedule/search.js';
import { toolchain } from '../host/assembler.js';
import { leastGain, textHash } from './tune.js';
import { compareBits, openTrial, trialUnits } from './trial.js';

interface Group {
  readonly site: Site;
  /** The default first. */
  readonly entrants: readonly Candidate[];
}

/** What is measured elsewhere: the same model and options give the same plan. */
export interface TuningPlan {
  readonly space: SearchSpace;
  readonly groups: readonly Group[];
  readonly hash: string;
}

const rounds = 15;
const milliseconds = 2;

/** The default and the cheapest candidates of every kernel that has any. */
export function planTuning(space: SearchSpace, perKernel = 6): TuningPlan {
  const groups = space.sites.flatMap((site): Group[] => {
    const first = defaultCandidate(space, site);
    const text = JSON.stringify(first.data);
    const all = [...candidates(space, site), ...candidates(space, site, {})].sort((a, b) => a.cost.cycles - b.cost.cycles);
    const seen = new Set([text]);
    const others = all.filter((c) => !seen.has(JSON.stringify(c.data)) && seen.add(JSON.stringify(c.data))).slice(0, perKernel);
    return others.length === 0 ? [] : [{ site, entrants: [first, ...others] }];
  });
  const hash = hashText(JSON.stringify([space.target.name, groups.map((g) => [g.site.key, g.entrants.map((e) => numberTensors(g.site.kernel, e.data))])])).slice(0, 16);
  return { space, groups, hash };
}

const entrantsOf = (plan: TuningPlan) => plan.groups.flatMap((g) => g.entrants.map((e) => ({ site: g.site, schedule: e.schedule })));

/** A WASI command that writes the times. Every schedule's bits are compared here first. */
export async function tuningCommand(plan: TuningPlan): Promise<Uint8Array> {
  await compareAll(plan);
  return assembleTrial(trialUnits(plan.space, entrantsOf(plan)), plan.space.target, toolchain(), { plan: plan.hash, sizes: plan.groups.map((g) => g.entrants.length), rounds, milliseconds });
}

/** A self-contained page that measures itself and offers the times. */
export async function tuningPage(plan: TuningPlan, title: string): Promise<string> {
  await compareAll(plan);
  const { wasm } = await assemblePrograms(trialUnits(plan.space, entrantsOf(plan)), plan.space.target, toolchain());
  const data = { plan: plan.hash, sizes: plan.groups.map((g) => g.entrants.length), names: plan.groups.map((g) => g.site.text), rounds, milliseconds };
  return pageText(title, btoaBytes(wasm), JSON.stringify(data).replace(/</g, '\\u003c'));
}

async function compareAll(plan: TuningPlan): Promise<void> {
  for (const { site, entrants } of plan.groups) {
    const units = trialUnits(plan.space, entrants.map((e) => ({ site, schedule: e.schedule })));
    const trial = { units, ...(await assemblePrograms(units, plan.space.target, toolchain())) };
    compareBits(trial, openTrial(trial), site);
  }
}

function btoaBytes(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 0x8000) text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(text);
}

function pageText(title: string, module: string, data: string): string {
  const safe = title.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Tuning ${safe}</title>
<style>
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 44rem; margin: 3rem auto; padding: 0 1rem; }
progress { width: 100%; }
button, a.button { font: inherit; padding: .4rem 1rem; border: 1px solid; border-radius: .4rem; background: none; color: inherit; text-decoration: none; cursor: pointer; }
</style>
<h1>Tuning ${safe}</h1>
<p>This page times schedules of the model's kernels in this browser. Close other pages, keep the device on power, and start.
Then give the file of times to <code>sigmaflow tune MODEL.onnx --times FILE -o RECORDS.json</code>.</p>
<p><button id="start">Start</button> <a id="save" class="button" hidden download="times.json">Save the times</a></p>
<progress id="bar" max="1" value="0" aria-label="progress"></progress>
<p id="state" role="status"></p>
<script>
const data = ${data};
const bytes = Uint8Array.from(atob('${module}'), (c) => c.charCodeAt(0));
const state = document.getElementById('state');
document.getElementById('start').onclick = async (event) => {
  event.target.disabled = true;
  try {
    const { instance } = await WebAssembly.instantiate(bytes);
    const times = [];
    let first = 0;
    for (let g = 0; g < data.sizes.length; g++) {
      state.textContent = data.names[g];
      document.getElementById('bar').value = g / data.sizes.length;
      await new Promise((done) => setTimeout(done, 10));
      times.push(...timeGroup(Array.from({ length: data.sizes[g] }, (_, i) => instance.exports['run' + (first + i)])));
      first += data.sizes[g];
    }
    const text = JSON.stringify({ plan: data.plan, entries: first, times, host: navigator.userAgent });
    document.getElementById('bar').value = 1;
    state.textContent = 'Done.';
    const save = document.getElementById('save');
    save.href = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
    save.hidden = false;
    window.tuningTimes = text;
  } catch (error) {
    state.textContent = 'This browser does not run it: ' + error.message;
  }
};
function timeGroup(functions) {
  // A browser's clock may tick in tenths of a millisecond: rounds are long against that.
  const length = data.milliseconds * 4;
  const calls = functions.map((f) => {
    for (let n = 1; ; n *= 2) {
      const start = performance.now();
      for (let i = 0; i < n; i++) f();
      const spent = performance.now() - start;
      if (spent >= length || n >= 2 ** 24) return Math.max(1, Math.round(n * length / Math.max(spent, 0.1)));
    }
  });
  const times = functions.map(() => []);
  for (let r = 0; r < data.rounds; r++) functions.forEach((f, i) => {
    const start = performance.now();
    for (let n = calls[i]; n > 0; n--) f();
    times[i].push((performance.now() - start) * 1000 / calls[i]);
  });
  return times.map((t) => t.sort((a, b) => a - b)[t.length >> 1]);
}
</script>
</html>
`;
}

/** The tuning file that times from elsewhere give. Raises tuning/record for times of another plan. */
export function readTimes(plan: TuningPlan, text: string, at: string): TuningFile {
  const bad = (why: string, what: string): never => fail('tuning/record', at, why, what);
  let value: { plan?: unknown; times?: unknown; host?: unknown };
  try {
    value = JSON.parse(text) as typeof value;
  } catch {
    return bad('these are no times: it is no JSON', 'Give what the tuning command or page wrote.');
  }
  const expected = entrantsOf(plan).length;
  if (typeof value !== 'object' || value === null || value.plan !== plan.hash) {
    return bad('these are times of something else', 'Give the model, target and batch that the command or page was made with, and use the same version of sigmaflow.');
  }
  const { times, host } = value;
  if (!Array.isArray(times) || times.length !== expected || !times.every((t) => typeof t === 'number' && t > 0)) {
    return bad(`expected ${expected} times, found ${Array.isArray(times) ? `${times.length}, or some that are no positive numbers` : 'none'}`, 'Measure again.');
  }
  const kernels: Record<string, TuningRecord> = {};
  let first = 0;
  for (const { site, entrants } of plan.groups) {
    const own = (times as number[]).slice(first, first + entrants.length);
    first += entrants.length;
    const best = own.reduce((b, t, i) => (t < own[b] ? i : b), 0);
    const ratio = own[best] / own[0];
    const numbered = entrants.map((e) => numberTensors(site.kernel, e.data));
    kernels[site.key] = { kernel: site.text, ...(ratio < leastGain ? { schedule: numbered[best], ratio } : { ratio: 1 }), tried: numbered.map(textHash), complete: false };
  }
  return { format: 1, target: plan.space.target.name, measuredOn: typeof host === 'string' ? host.slice(0, 200) : 'a WASI host', kernels };
}
