/**
 * The demo page in headless Chromium: built as users build it and served as files. Recorded drawings get their verdicts and Node's
 * bits, by mouse and by keyboard; no request leaves the page; all of it stays under a megabyte; nothing is cut off in a narrow window.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { Browser, Page } from 'playwright-core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { buildDemo, defaultSources, mostBytes } from '../../scripts/demo/build.js';
import { serveFolder } from '../../scripts/demo/serve.js';
import { answerOf } from '../../sdk/demo/answer.js';
import { fromPlanes, type Contents, type DemoModule } from '../../sdk/demo/contents.js';
import { drawingPixels, networkInput } from '../../sdk/demo/preprocess.js';
import { loadSync, type Session } from '../../sdk/runtime/index.js';
import { recordings, type Recording } from '../demo/recordings.js';
import { launch, missingBrowser } from './page.js';

/** What the page tells of each answer, made plain. */
interface Told {
  readonly pixels: number[];
  readonly file: string;
  readonly samples: number;
  readonly answer: unknown;
  readonly outputs: Record<string, number[]>;
  readonly verdict: { readonly kind: string; readonly named: number[] };
}

const posterior = process.env.SIGMAFLOW_DEMO_POSTERIOR ?? defaultSources.posterior;
const folder = mkdtempSync(join(tmpdir(), 'sigmaflow-demo-'));
let browser: Browser | undefined;
let address = '';
let close = (): void => {};

test.after(async () => {
  await browser?.close();
  close();
  rmSync(folder, { recursive: true });
});

/** Opens the page; whatever it complains of, or asks of anyone but its own server, fails the test. */
async function opened(look: (page: Page, told: () => Promise<Told[]>) => Promise<void>, options: Parameters<Browser['newPage']>[0] = {}): Promise<void> {
  const complaints: string[] = [];
  const page = await browser!.newPage(options);
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('request', (request) => request.url().startsWith(address) || /^(data|blob):/.test(request.url()) || complaints.push(request.url()));
  await page.addInitScript(`window.told = []; document.addEventListener('sigmaflow:answer', ({ detail }) => {
    const plain = (data) => Array.from(data);
    window.told.push({ ...detail, pixels: plain(detail.pixels), outputs: Object.fromEntries(Object.entries(detail.outputs).map(([name, data]) => [name, plain(data)])) });
  });`);
  await page.goto(address);
  await page.waitForSelector('#headline:text("Draw something")');
  await look(page, () => page.evaluate('window.told') as Promise<Told[]>);
  assert.equal(complaints, []);
  await page.close();
}

/** Draws by the mouse. */
async function draw(page: Page, strokes: Recording['strokes']): Promise<void> {
  const { x, y, width, height } = (await page.locator('#pad').boundingBox())!;
  for (const stroke of strokes) {
    await page.mouse.move(x + stroke[0] * width, y + stroke[1] * height);
    await page.mouse.down();
    for (let i = 2; i < stroke.length; i += 2) await page.mouse.move(x + stroke[i] * width, y + stroke[i + 1] * height);
    await page.mouse.up();
  }
}

/** Plays a recording: the pointer events of a pen, as many a frame as a fast pen gives. */
function play(page: Page, strokes: Recording['strokes']): Promise<void> {
  return page.evaluate(async (list) => {
    const pad = document.getElementById('pad') as HTMLCanvasElement;
    pad.setPointerCapture = () => {};
    const { left, top, width, height } = pad.getBoundingClientRect();
    for (const stroke of list) {
      for (let i = 0; i < stroke.length; i += 2) {
        const at = { pointerId: 7, pointerType: 'pen', button: i === 0 ? 0 : -1, clientX: left + stroke[i] * width, clientY: top + stroke[i + 1] * height };
        pad.dispatchEvent(new PointerEvent(i === 0 ? 'pointerdown' : 'pointermove', at));
        if (i % 20 === 0) await new Promise(requestAnimationFrame);
      }
      pad.dispatchEvent(new PointerEvent('pointerup', { pointerId: 7 }));
    }
    for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
  }, strokes as number[][]);
}

/** Waits until an expression holds in the page; asks from outside, for the page's policy forbids to evaluate texts. */
async function until(page: Page, expression: string): Promise<void> {
  for (const end = Date.now() + 30_000; ; await page.waitForTimeout(40)) {
    if (await page.evaluate(expression)) return;
    if (Date.now() > end) throw new Error(`never came true: ${expression}`);
  }
}

/** Waits for the answer to the last picture that the page has. */
async function settled(page: Page): Promise<Told> {
  await until(page, `(() => {
    const context = document.getElementById('seen').getContext('2d');
    const seen = Array.from(context.getImageData(0, 0, 28, 28).data).filter((_, i) => i % 4 === 0);
    const last = window.told.at(-1);
    return last && seen.some((p) => p > 0) && seen.every((p, i) => p === last.pixels[i]);
  })()`);
  return (await page.evaluate('window.told.at(-1)')) as Told;
}

/** The module's outputs have the bits of Node. What the page makes of them goes through Math.exp, of which engines differ in the last one. */
function check(found: Told, { method }: DemoModule, session: Session, name: string): void {
  const answer = answerOf(session, method, networkInput(Uint8Array.from(found.pixels)), found.samples);
  for (const [output, { data }] of Object.entries(session.outputs)) assert.equal(found.outputs[output], Array.from(data), `${name} ${output}`);
  const numbers = (value: unknown): number[] => (typeof value === 'number' ? [value] : typeof value === 'object' ? Object.values(value!).flatMap(numbers) : []);
  const [actual, expected] = [numbers(found.answer), numbers(answer)];
  assert.ok(actual.length >= 21 && actual.length === expected.length);
  actual.forEach((x, i) => assert.ok(Math.abs(x - expected[i]) <= 1e-9, `${name}: ${x}, in Node ${expected[i]}`));
}

const sessionOf = (module: DemoModule): Session => loadSync(fromPlanes(gunzipSync(readFileSync(join(folder, module.file))))).session();

if (missingBrowser) {
  test('Chromium', () => console.log(missingBrowser));
} else if (!existsSync(posterior)) {
  test('posterior', () => console.log(`SKIP the demo page: ${posterior} is missing; name one of LeNet-5 in SIGMAFLOW_DEMO_POSTERIOR`));
} else {
  let contents: Contents;

  test.before(async () => {
    const files = await buildDemo(folder, { ...defaultSources, posterior });
    const total = Object.values(files).reduce((a, b) => a + b, 0);
    console.log(`the page has ${total} bytes`);
    assert.ok(total < mostBytes, JSON.stringify(files));
    contents = JSON.parse(readFileSync(join(folder, 'contents.json'), 'utf8')) as Contents;
    const server = await serveFolder(folder, 0);
    ({ address, close } = server);
    browser = await launch();
  });

  test('recorded drawings: the verdicts that were expected, and the bits of Node', () =>
    opened(async (page) => {
      const [module] = contents.modules;
      const session = sessionOf(module);
      const wrong: string[] = [];
      for (const { name, verdict, digit, strokes } of recordings) {
        await page.getByRole('button', { name: 'Clear' }).click();
        await page.waitForSelector('#headline:text("Draw something")');
        await play(page, strokes);
        if (verdict === 'blank') {
          assert.is(await page.locator('#verdict').getAttribute('data-kind'), 'blank');
          continue;
        }
        const found = await settled(page);
        if (found.verdict.kind !== verdict || (digit !== undefined && found.verdict.named[0] !== digit)) wrong.push(`${name}: expected ${verdict} ${digit ?? ''}, found ${found.verdict.kind} ${found.verdict.named}`);
        check(found, module, session, name);
        // places on the screen are rounded, and with them which points count as new
        const own = drawingPixels(strokes)!;
        assert.ok(own.reduce((sum, p, i) => sum + Math.abs(p - found.pixels[i]), 0) / 255 < 3, name);
      }
      assert.equal(wrong, []);
    }));

  test('by the mouse', () =>
    opened(async (page) => {
      await draw(page, [[0.26, 0.2, 0.5, 0.19, 0.74, 0.18, 0.66, 0.36, 0.54, 0.58, 0.44, 0.88]]);
      assert.is((await settled(page)).verdict.named[0], 7);
      await page.getByRole('button', { name: 'Undo' }).click();
      await page.waitForSelector('#headline:text("Draw something")');
    }));

  test('every position of the switches: the module that it names, with the bits of Node', () =>
    opened(async (page, told) => {
      await page.getByRole('button', { name: 'sandal', exact: true }).click();
      await settled(page);
      const titles = { moments: 'PFP', sample: 'Sampled', mean: 'Deterministic' };
      for (const module of contents.modules) {
        const before = (await told()).length;
        await page.getByLabel(titles[module.method], { exact: true }).check();
        if (contents.modules.filter((m) => m.method === module.method).length > 1) await page.getByLabel(module.bits === 32 ? 'float' : String(module.bits), { exact: true }).check();
        await until(page, `window.told.length > ${before} && window.told.at(-1).file === '${module.file}' || ${module === contents.modules[0]}`);
        const found = (await told()).at(-1)!;
        assert.is(found.file, module.file);
        check(found, module, sessionOf(module), module.file);
        assert.match((await page.locator('#facts').textContent())!, module.bytes.toLocaleString('en'));
      }
      await until(page, "/mean of [\\d,]+ runs/.test(document.getElementById('facts').textContent)");
    }));

  test('by keyboard alone: a line is drawn, a sample picked, all cleared', () =>
    opened(async (page) => {
      await page.keyboard.press('Tab');
      await page.keyboard.press('Tab');
      await page.keyboard.press('Tab');
      assert.is(await page.evaluate('document.activeElement.id'), 'pad');
      await page.keyboard.press('Space');
      for (let i = 0; i < 18; i++) await page.keyboard.press('ArrowDown');
      await page.keyboard.press('Space');
      assert.is((await settled(page)).verdict.named[0], 1, 'a line is a one');
      await page.keyboard.press('Shift+ArrowLeft');
      await page.keyboard.press('Backspace');
      await page.waitForSelector('#headline:text("Draw something")');
      for (let i = 0; i < 6 && (await page.evaluate("document.activeElement.getAttribute('aria-label')")) !== 'digit 0'; i++) await page.keyboard.press('Tab');
      await page.keyboard.press('ArrowRight');
      await page.keyboard.press('ArrowRight');
      assert.is(await page.evaluate("document.activeElement.getAttribute('aria-label')"), 'digit 2');
      await page.keyboard.press('Enter');
      assert.is((await settled(page)).verdict.named[0], 2);
      await until(page, "/^This is a 2, .*nats\\.$/.test(document.getElementById('live').textContent)");
      assert.match((await page.locator('#map').getAttribute('aria-label'))!, /aleatoric \d\.\d\d nats, epistemic \d\.\d\d nats/);
    }));

  test('every control has a name, every picture a text', () =>
    opened(async (page) => {
      const unnamed = await page.evaluate(`[...document.querySelectorAll('button, input, [role=application], [role=img], [role=toolbar]')].filter((e) =>
        !(e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.[0]?.textContent.trim())).map((e) => e.outerHTML)`);
      assert.equal(unnamed, []);
      assert.is(await page.locator('table#classes tbody tr').count(), 10);
    }));

  test('the camera: pictures of the frame are answered until a stroke ends it', () =>
    opened(async (page) => {
      await page.evaluate(`navigator.mediaDevices.getUserMedia = async () => {
        const canvas = document.createElement('canvas');
        canvas.width = canvas.height = 240;
        const context = canvas.getContext('2d');
        const show = () => {
          context.fillStyle = '#ddd';
          context.fillRect(0, 0, 240, 240);
          context.strokeStyle = '#222';
          context.lineWidth = 14;
          context.stroke(new Path2D('M60 50H180L110 200'));
        };
        show();
        setInterval(show, 30);
        return canvas.captureStream(30);
      }`);
      await page.getByRole('button', { name: 'Camera' }).click();
      await until(page, 'window.told.length > 2');
      assert.is((await settled(page)).verdict.named[0], 7);
      assert.ok(await page.locator('#video').isVisible());
      await draw(page, [[0.5, 0.2, 0.5, 0.8]]);
      await until(page, "window.told.at(-1).verdict.named[0] === 1");
      assert.not.ok(await page.locator('#video').isVisible());
    }));

  for (const [width, scheme] of [[1440, 'light'], [1100, 'dark'], [390, 'light'], [320, 'dark']] as const) {
    test(`${width} pixels, ${scheme}: nothing is wider than the window, light and dark as the system has it, and turned around`, () =>
      opened(async (page) => {
        await page.getByRole('button', { name: 'coat' }).click();
        await settled(page);
        assert.is(await page.evaluate('document.documentElement.scrollWidth'), width);
        const light = async (): Promise<boolean> => Number(/\d+/.exec((await page.evaluate('getComputedStyle(document.body).backgroundColor')) as string)![0]) > 128;
        assert.is(await light(), scheme === 'light');
        await page.getByRole('button', { name: 'Dark' }).click();
        assert.is(await light(), scheme !== 'light');
      }, { viewport: { width, height: 800 }, colorScheme: scheme }));
  }
}

test.run();
