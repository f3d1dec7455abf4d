// The committed files must be what the source builds, and small; the viewer must end no element that it stands in.
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { gzipSync } from "node:zlib";
import { files, target } from "./build.mjs";

const MAX_BYTES = 120_000; // compressed, each
const fail = (text) => {
  console.error(text);
  process.exit(1);
};
for (const [path, content] of await files()) {
  const name = basename(path);
  const built = Buffer.from(content);
  const committed = await readFile(path).catch(() => Buffer.alloc(0));
  if (!built.equals(committed)) fail(`expected static/${name} to be what web/ builds; got another file; run: npm run build`);
  const size = gzipSync(built, { level: 9 }).length;
  if (size > MAX_BYTES) fail(`expected at most ${MAX_BYTES} bytes compressed; got ${size} of ${name}; leave something out`);
  console.log(`${name}: ${built.length} bytes, ${size} compressed`);
  if (path === target && /<\/script|<!--/i.test(built.toString())) fail("expected a module that can stand in a page; got an end of its element; split the string");
}
