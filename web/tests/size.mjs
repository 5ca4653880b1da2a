// Holds what the page weighs, compressed: all of its scripts and all of its styles.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const MOST = { js: 90 * 1024, css: 15 * 1024 };
const folder = join(import.meta.dirname, '../dist/assets');
let fits = true;
for (const [end, most] of Object.entries(MOST)) {
  const files = readdirSync(folder).filter((name) => name.endsWith(`.${end}`));
  const size = files.reduce((sum, name) => sum + gzipSync(readFileSync(join(folder, name))).length, 0);
  console.log(`${end}: ${size} bytes of ${most}, compressed`);
  fits &&= files.length > 0 && size <= most;
}
process.exit(fits ? 0 : 1);
