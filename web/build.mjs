// Builds the modules: the viewer, and the page of `unveil serve` with its style. Writes them unless it is imported.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));
const place = (path) => fileURLToPath(new URL(`../src/unveil/${path}`, import.meta.url));

export const target = place("view/static/viewer.js");

async function module(entry, write = "text") {
  const made = await build({
    absWorkingDir: here,
    entryPoints: [entry],
    bundle: true,
    format: "esm",
    target: "es2022",
    minify: true,
    charset: "ascii",
    legalComments: "inline",
    write: false,
  });
  return write === "text" ? made.outputFiles[0].text : made.outputFiles[0].contents;
}

export const bundle = () => module("src/viewer.ts", "bytes");

/** The style of the page: the colors of the viewer, and its own. */
async function style() {
  const { LIGHT, DARK } = await import(`data:text/javascript,${encodeURIComponent(await module("src/styles.ts"))}`);
  const colors = Array.from({ length: 7 }, (_, index) => `.c${index}{--color:var(--c${index})}`).join("");
  const own = (edge, good) => `--edge:${edge};--good:${good}`;
  const tokens = `:root{color-scheme:light dark;${LIGHT};${own("#8a93a3", "#00734f")}}@media (prefers-color-scheme:dark){:root{${DARK};${own("#5f6a78", "#43c59e")}}}${colors}`;
  const stdin = { contents: tokens + (await readFile(`${here}app/app.css`, "utf8")), loader: "css", sourcefile: "app.css" };
  const made = await build({ stdin, minify: true, write: false, target: "es2022" });
  return made.outputFiles[0].contents;
}

/** Every file that is built, by its path: its bytes. */
export async function files() {
  return new Map([
    [target, await bundle()],
    [place("serve/static/app.js"), await module("app/main.ts", "bytes")],
    [place("serve/static/app.css"), await style()],
    [place("serve/static/index.html"), await readFile(`${here}app/index.html`)],
  ]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [path, content] of await files()) {
    await mkdir(new URL(".", `file://${path}`), { recursive: true });
    await writeFile(path, content);
  }
}
