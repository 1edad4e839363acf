// Headless Chromium, for the tests with a page.
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** Why there is no browser; false if there is one. */
export const skip = !existsSync(executablePath)
  && `there is no ${executablePath}: apt-get install chromium, or set CHROMIUM to a Chromium or Chrome`;

/** Starts it, with these flags, too. */
export function launch(...flags) {
  return chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', ...flags],
  });
}
