// Makes src/document.ts from the schema of the view format. With --check, compares instead.
import { readFile, writeFile } from "node:fs/promises";
import { compile } from "json-schema-to-typescript";

const schema = JSON.parse(await readFile(new URL("../src/unveil/view/schema.json", import.meta.url), "utf8"));
const file = new URL("src/document.ts", import.meta.url);
const text = await compile(schema, "ViewDocument", {
  bannerComment: "// Made by types.mjs from src/unveil/view/schema.json. Don't edit.",
  additionalProperties: false,
  ignoreMinAndMaxItems: true,
});
if (!process.argv.includes("--check")) await writeFile(file, text);
else if ((await readFile(file, "utf8")) !== text) {
  console.error("expected src/document.ts to follow from schema.json; got other types; run: npm run types");
  process.exit(1);
}
