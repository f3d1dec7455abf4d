// Builds the one ES module of the viewer. Returns its bytes; writes them unless it is imported.
import { mkdir, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

export const target = fileURLToPath(new URL("../src/unveil/view/static/viewer.js", import.meta.url));

export async function bundle() {
  const made = await build({
    absWorkingDir: fileURLToPath(new URL(".", import.meta.url)),
    entryPoints: ["src/viewer.ts"],
    bundle: true,
    format: "esm",
    target: "es2022",
    minify: true,
    charset: "ascii",
    legalComments: "inline",
    write: false,
  });
  return made.outputFiles[0].contents;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await mkdir(new URL(".", `file://${target}`), { recursive: true });
  await writeFile(target, await bundle());
}
