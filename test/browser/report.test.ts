/**
 * The page of a profile in headless Chromium, from a file as users open it: no complaint on the console, every step there,
 * what its controls do, and that nothing is cut off in a narrow window, in light and in dark.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium, type Browser, type Page } from 'playwright-core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { profileReport } from '../../sdk/profile/report.js';
import { handMadeProfile } from '../profile/profiles.js';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const folder = mkdtempSync(join(tmpdir(), 'sigmaflow-'));
let browser: Browser | undefined;

test.after(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true });
});

if (!existsSync(executablePath)) {
  test('Chromium', () => console.log(`SKIP Chromium: ${executablePath} is missing; apt-get install -y chromium, or name another in CHROMIUM`));
} else {
  test.before(async () => {
    browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'] });
  });

  /** Opens the page of a profile; whatever it complains of or asks the network for fails the test. */
  async function opened(steps: number, width: number, colorScheme: 'light' | 'dark', look: (page: Page) => Promise<void>): Promise<void> {
    const file = join(folder, `${steps}.html`);
    writeFileSync(file, profileReport(handMadeProfile(steps, { name: 'a_model_with_quite_a_long_name.qdq_u8s8' })));
    const complaints: string[] = [];
    const page = await browser!.newPage({ colorScheme, viewport: { width, height: 800 } });
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('request', (request) => /^(file|data):/.test(request.url()) || complaints.push(request.url()));
    await page.goto(pathToFileURL(file).href);
    await look(page);
    assert.equal(complaints, []);
    await page.close();
  }
  const names = (page: Page): Promise<string[]> => page.locator('.bars li:visible .number').allTextContents();

  for (const steps of [1, 12, 100]) {
    for (const [width, scheme] of [[1200, 'light'], [360, 'dark']] as const) {
      test(`${steps} steps, ${width} pixels, ${scheme}`, () =>
        opened(steps, width, scheme, async (page) => {
          assert.is(await page.evaluate('document.documentElement.scrollWidth'), width, 'nothing is wider than the window');
          assert.is(await page.locator('tbody tr[data-step]').count(), steps);
          const small = handMadeProfile(steps).steps.filter((s) => s.share < 0.005).length;
          assert.equal(await names(page), Array.from({ length: steps - small }, (_, i) => String(steps - i)));
          const [back, text] = (await page.evaluate('[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]')) as string[];
          const light = (color: string): boolean => Number(/\d+/.exec(color)![0]) > 128;
          assert.equal([light(back), light(text)], scheme === 'light' ? [true, false] : [false, true]);
        }));
    }
  }

  test('the order of the bars, the small ones, and what is said of a dot', () =>
    opened(100, 1000, 'light', async (page) => {
      const small = handMadeProfile(100).steps.filter((s) => s.share < 0.005).length;
      assert.ok(small > 1);
      await page.getByLabel(`also the ${small}`).check();
      await page.getByLabel('in program order').check();
      assert.equal(await names(page), Array.from({ length: 100 }, (_, i) => String(i + 1)));
      await page.getByLabel('slowest first').check();
      assert.is((await names(page))[0], '100');
      const said = page.locator('.details');
      assert.match((await said.textContent())!, 'Point at a dot');
      await page.locator('.dot[data-step="95"]').focus();
      assert.match((await said.textContent())!, /^95 layer94: 95\.0 µs, 1\.9 % of the steps, 40\.0 GMAC\/s, 80 % of the limit by float32$/);
      assert.ok(await page.locator('tr[data-step="95"]').evaluate((e) => e.classList.contains('seen')));
    }));
}

test.run();
