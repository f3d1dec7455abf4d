// The committed module must be what the source builds, at most 120 kB compressed, and end no element that it stands in.
import { readFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { bundle, target } from "./build.mjs";

const MAX_BYTES = 120_000;
const fail = (text) => {
  console.error(text);
  process.exit(1);
};
const built = Buffer.from(await bundle());
const committed = await readFile(target).catch(() => Buffer.alloc(0));
if (!built.equals(committed)) fail("expected static/viewer.js to be what web/src builds; got another file; run: npm run build");
const size = gzipSync(built, { level: 9 }).length;
if (size > MAX_BYTES) fail(`expected at most ${MAX_BYTES} bytes compressed; got ${size}; leave something out`);
if (/<\/script|<!--/i.test(built.toString())) fail("expected a module that can stand in a page; got an end of its element; split the string");
console.log(`viewer.js: ${built.length} bytes, ${size} compressed`);
