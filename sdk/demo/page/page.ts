/**
 * The page: what is drawn, picked or seen becomes a picture of 28 x 28 pixels, the worker answers, the page shows it. Every answer is
 * also an event `sigmaflow:answer` of the document, with the picture and the module's outputs.
 */
import { classes, type Answer } from '../answer.js';
import { measurementOf, type Contents } from '../contents.js';
import { drawingPixels, networkInput, normalizeInk } from '../preprocess.js';
import { blank, verdictOf, type Verdict } from '../verdict.js';
import { Camera } from './camera.js';
import { ClassTable } from './classes.js';
import { byId, html, paint, say } from './dom.js';
import { UncertaintyMap } from './map.js';
import { Meters } from './meters.js';
import { Pad } from './pad.js';
import { Runner, type Job } from './runner.js';
import { showSamples } from './samples.js';
import { Switches } from './switches.js';
import { themeButton } from './theme.js';

/** Milliseconds without a new answer before it is read out. */
const pause = 900;

const contents = await readContents();

const seen = byId<HTMLCanvasElement>('seen');
const table = new ClassTable(byId('classes'), classes);
const meters = new Meters(byId('meters'));
const map = new UncertaintyMap(byId('map'), byId('legend'));
const facts = factList(['time', 'module']);
let announcement = 0;
let pixels: Uint8Array | undefined;

const runner = new Runner('worker.js', {
  answered(job, answer, outputs) {
    const measurement = measurementOf(job.module, job.samples);
    const verdict = verdictOf(answer, measurement);
    table.show(answer, verdict.named);
    meters.show(answer, measurement);
    map.show(answer);
    showVerdict(verdict);
    announce(verdict, answer);
    document.dispatchEvent(new CustomEvent('sigmaflow:answer', { detail: { pixels: job.pixels, file: job.module.file, samples: job.samples, answer, outputs, verdict } }));
  },
  timed(_job, microseconds, runs) {
    facts.time.replaceChildren(duration(microseconds), html('small', {}, `mean of ${runs.toLocaleString('en')} runs`));
    delete facts.time.dataset.stale;
  },
  failed(message) {
    showVerdict({ ...blank, headline: 'Sorry', sentence: `The network could not be run: ${message}.` });
  },
});

const pad = new Pad(byId<HTMLCanvasElement>('pad'), {
  changed(strokes) {
    if (strokes.length > 0) stopCamera();
    if (!camera.running) see(drawingPixels(strokes));
  },
  told: tell,
});

const camera = new Camera(byId<HTMLVideoElement>('video'), (ink) => see(normalizeInk(ink)));
const switches = new Switches(byId('switches'), contents.modules, () => {
  chosen();
  see(pixels);
});

showSamples(byId('sets'), contents.sets, (bytes) => {
  stopCamera();
  pad.show(bytes);
  map.restart();
  see(bytes);
});
byId('undo').addEventListener('click', () => pad.undo());
byId('clear').addEventListener('click', () => pad.clear());
byId('camera').addEventListener('click', () => void toggleCamera());
themeButton(byId<HTMLButtonElement>('theme'), () => pad.restyle());
byId('sources').append(...contents.sets.map(({ title, source }) => html('span', {}, `${title}: ${source}. `)));
chosen();
see(undefined);

async function readContents(): Promise<Contents> {
  const response = await fetch('contents.json').catch(() => undefined);
  if (response?.ok) return (await response.json()) as Contents;
  showVerdict({ ...blank, headline: 'Sorry', sentence: 'contents.json, which the page is made of, could not be loaded. Is the whole folder on the host?' });
  throw new Error('contents.json could not be loaded');
}

/** A picture to be answered, or nothing. */
function see(found: Uint8Array | undefined): void {
  pixels = found;
  paint(seen, pixels);
  byId('pad-hint').hidden = pixels !== undefined || pad.strokes.length > 0 || camera.running;
  if (pixels) return runner.ask(jobOf(pixels));
  runner.cancel();
  clearTimeout(announcement);
  table.show(undefined);
  meters.show(undefined, measurementOf(switches.choice.module, switches.choice.samples));
  map.show(undefined);
  showVerdict(camera.running ? { ...blank, headline: 'Show something', sentence: 'Hold a digit into the frame: dark on light, or light on dark.' } : blank);
}

function jobOf(found: Uint8Array): Job {
  return { ...switches.choice, pixels: found, input: networkInput(found) };
}

/** What depends on the module alone. */
function chosen(): void {
  const { module, samples } = switches.choice;
  const measurement = measurementOf(module, samples);
  map.background(measurement, contents.sets);
  facts.time.dataset.stale = '';
  facts.module.replaceChildren(`${module.bytes.toLocaleString('en')} bytes`, html('small', {}, 'weights and code, nothing else'));
  const range = module.method === 'mean' ? 'A network of fixed weights has logits without width.' : 'Dark lines: where 90 % of draws of the probability lie. Curves: the logits as normal distributions, all drawn to one height.';
  say(byId('classes-caption'), range);
}

function showVerdict({ kind, headline, sentence, note }: Verdict): void {
  byId('verdict').dataset.kind = kind;
  say(byId('headline'), headline);
  say(byId('sentence'), sentence);
  say(byId('note'), note);
}

/** Puts the answer into words, and reads out the verdict, once the drawing rests. */
function announce({ sentence, note }: Verdict, answer: Answer): void {
  clearTimeout(announcement);
  const parts = answer.epistemic === undefined ? '' : ` Aleatoric ${answer.aleatoric!.toFixed(2)}, epistemic ${answer.epistemic.toFixed(2)} nats.`;
  announcement = window.setTimeout(() => {
    table.describe();
    say(byId('live'), `${sentence} ${note}${parts}`);
  }, pause);
}

/** Read out at once; the verdict follows. */
function tell(text: string): void {
  say(byId('live'), text);
}

async function toggleCamera(): Promise<void> {
  if (camera.running) camera.stop();
  else {
    pad.clear();
    await camera.start().catch((error: Error) => {
      camera.stop();
      showVerdict({ ...blank, headline: 'No camera', sentence: `The browser gives none: ${error.message}.` });
      tell('No camera');
    });
  }
  showCamera();
  if (!camera.running && byId('headline').textContent !== 'No camera') see(undefined);
}

function stopCamera(): void {
  camera.stop();
  showCamera();
}

function showCamera(): void {
  byId('camera').setAttribute('aria-pressed', String(camera.running));
  say(byId('camera'), camera.running ? 'Stop camera' : 'Camera');
}

function factList(names: readonly string[]): Record<string, HTMLElement> {
  const titles: Record<string, string> = { time: 'Time an answer', module: 'Module' };
  return Object.fromEntries(names.map((name) => {
    const value = html('dd', {}, '…');
    byId('facts').append(html('div', {}, html('dt', {}, titles[name]), value));
    return [name, value];
  }));
}

function duration(microseconds: number): string {
  return microseconds < 1000 ? `${Math.round(microseconds)} µs` : `${(microseconds / 1000).toFixed(microseconds < 10000 ? 2 : 1)} ms`;
}

