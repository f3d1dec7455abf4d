// A module of the source, built for a test; those of the page by "../app/name".
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

export async function load(name) {
  const entry = fileURLToPath(new URL(`../src/${name}.ts`, import.meta.url));
  const made = await build({ entryPoints: [entry], bundle: true, format: "esm", target: "es2022", write: false });
  return import(`data:text/javascript;base64,${Buffer.from(made.outputFiles[0].contents).toString("base64")}`);
}
