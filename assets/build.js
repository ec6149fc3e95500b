// Builds static/ui/vendor/editor.js and the licence texts of what went into it.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = path.dirname(fileURLToPath(import.meta.url));
const out = path.join(here, "..", "static", "ui", "vendor");

const result = await build({
  absWorkingDir: here,
  entryPoints: ["editor.js"],
  outfile: path.join(out, "editor.js"),
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  legalComments: "none",
  charset: "utf8",
  metafile: true,
  // The Jinja grammar asks for HTML as its default base language; we always give it SQL.
  alias: { "@codemirror/lang-html": "./html-stub.js" },
  banner: { js: "/* Built from assets/editor.js by `npm run build`. Licences: LICENSES.txt. */" },
});

function packageOf(input) {
  const parts = input.split("node_modules/").pop().split("/");
  return parts[0].startsWith("@") ? parts.slice(0, 2).join("/") : parts[0];
}

function licenceOf(name) {
  const folder = path.join(here, "node_modules", name);
  const { version, license } = JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8"));
  const file = ["LICENSE", "LICENSE.md", "LICENSE.txt"].map((f) => path.join(folder, f)).find(existsSync);
  if (!file) throw new Error(`${name} carries no licence text`);
  return `${name} ${version} (${license})\n\n${readFileSync(file, "utf8").trim()}\n`;
}

const packages = Object.keys(result.metafile.inputs)
  .filter((input) => input.includes("node_modules/"))
  .map(packageOf);
const texts = [...new Set(packages)].sort().map(licenceOf);
const rule = `\n${"-".repeat(78)}\n\n`;
writeFileSync(
  path.join(out, "LICENSES.txt"),
  `editor.js contains the following packages.\n${rule}${texts.join(rule)}`,
);
