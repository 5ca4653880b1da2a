// Holds what the page weighs, packed: all of its scripts and all of its styles. The packed files hold
// what the plain ones do; their own bytes may differ with the version of the library that packs.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';

const MOST = { js: 90 * 1024, css: 15 * 1024 };
const UNPACK = { gz: gunzipSync, br: brotliDecompressSync };
const folder = join(import.meta.dirname, '../dist/assets');
let fits = true;
for (const [end, most] of Object.entries(MOST)) {
  const files = readdirSync(folder).filter((name) => name.endsWith(`.${end}`));
  const sizes = Object.entries(UNPACK).map(([packed, unpack]) => {
    let size = 0;
    for (const name of files) {
      const bytes = readFileSync(join(folder, `${name}.${packed}`));
      size += bytes.length;
      if (!unpack(bytes).equals(readFileSync(join(folder, name)))) {
        console.log(`${name}.${packed} holds something else than ${name}`);
        fits = false;
      }
    }
    return size;
  });
  console.log(`${end}: ${sizes[0]} bytes of ${most} as gzip, ${sizes[1]} as brotli`);
  fits &&= files.length > 0 && sizes[0] <= most;
}
process.exit(fits ? 0 : 1);
