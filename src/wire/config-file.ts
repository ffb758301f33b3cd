/**
 * Configuration files in YAML: read with one clear line for what is wrong, written with each key explained. Schema, file and manual have the same words, since
 * each key's meaning is the description in its schema.
 */
import fs from "node:fs";
import { parse, parseDocument, type Document } from "yaml";
import { z, type ZodType } from "zod";
import { OlpmError } from "../kit/errors.js";

/** The file named by `--config FILE`, or the installation's. @throws OlpmError invalid-argument for any other word */
export function configArgument(argv: readonly string[], preset: string, verb: string): string {
  if (argv.length === 0) return preset;
  const [option, file, ...rest] = argv;
  if (option !== "--config" || file === undefined || rest.length > 0) throw new OlpmError("invalid-argument", `openlpm ${verb} takes --config FILE and nothing else.`, { action: `openlpm ${verb} --help explains it.` });
  return file;
}

export interface ConfigKey {
  /** `vioses[].uplink` */
  readonly path: string;
  readonly meaning: string;
  /** undefined: must be given */
  readonly preset: unknown;
}
interface Node {
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly required?: readonly string[];
  readonly items?: Node;
  readonly anyOf?: readonly Node[];
}

/**
 * The configuration in `file`. Every finding is in the error, with its path and what would be right.
 * @throws OlpmError not-found (no such file) | invalid-argument
 */
export function readConfigFile<T>(file: string, schema: ZodType<T>, what: { readonly of: string; readonly verb: string }): T {
  let text: string;
  try {
    text = fs.readFileSync(file, "utf8");
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === "ENOENT";
    throw new OlpmError(missing ? "not-found" : "invalid-argument", missing ? `There is no configuration of ${what.of} in ${file}.` : `${file} can not be read: ${(cause as Error).message}.`, { cause, action: missing ? `openlpm ${what.verb} makes one; another place is given with --config FILE.` : undefined });
  }
  let raw: unknown;
  try {
    raw = parse(text);
  } catch (cause) {
    throw new OlpmError("invalid-argument", `${file} is no YAML: ${(cause as Error).message.split("\n")[0]}`, { cause });
  }
  const parsed = schema.safeParse(raw);
  if (parsed.success) return parsed.data;
  const known = new Set(keysOf(schema).map((key) => key.path));
  throw new OlpmError("invalid-argument", `${file} is no configuration of ${what.of}: ${parsed.error.issues.map((issue) => finding(issue, known)).join("; ")}`, { action: "docs/operate.md explains each key." });
}

function finding(issue: z.core.$ZodIssue, known: ReadonlySet<string>): string {
  const at = dotted(issue.path);
  if (issue.code === "unrecognized_keys") {
    const plain = at.replaceAll(/\[\d+\]/g, "[]");
    const siblings = [...known].filter((key) => (plain === "" ? !/[.[]/.test(key) : key.startsWith(`${plain}.`) && !/[.[]/.test(key.slice(plain.length + 1))));
    return issue.keys.map((key) => `${at === "" ? "" : `${at}.`}${key}: there is no such key; there are ${siblings.map((one) => one.slice(plain === "" ? 0 : plain.length + 1)).join(", ")}`).join("; ");
  }
  if (issue.code === "invalid_type" && issue.message.endsWith("received undefined")) return `${at}: is missing (${issue.expected})`;
  return `${at === "" ? "the file" : at}: ${issue.message.replace(/^Invalid (input|option|string): /, "")}`;
}
const dotted = (path: readonly PropertyKey[]): string => path.reduce<string>((text, step) => (typeof step === "number" ? `${text}[${step}]` : `${text}${text === "" ? "" : "."}${String(step)}`), "");

/** Each key of a configuration in the schema's order. A key without a description is left out: its parts say it. */
export function keysOf(schema: ZodType): ConfigKey[] {
  return walk(z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as Node, "");
}
function walk(node: Node, at: string): ConfigKey[] {
  const inner = node.anyOf?.find((one) => one.properties !== undefined) ?? node;
  const rows: ConfigKey[] = [];
  for (const [name, child] of Object.entries(inner.properties ?? {})) {
    const path = at === "" ? name : `${at}.${name}`;
    const shown = child.items?.properties ? `${path}[]` : path;
    if (child.description !== undefined) rows.push({ path: shown, meaning: child.description, preset: inner.required?.includes(name) ? undefined : (child.default ?? null) });
    rows.push(...(child.items ? walk(child.items, shown) : walk(child, path)));
  }
  return rows;
}

/** The text of a configuration file: `value`, each key with its meaning as a comment before it. */
export function configText(schema: ZodType, value: unknown, head: string): string {
  const meanings = new Map(keysOf(schema).map((key) => [key.path, key.meaning]));
  const lines = [...comment(head, ""), ""];
  const put = (one: unknown, at: string, indent: string): void => {
    for (const [name, inner] of Object.entries(one as Record<string, unknown>)) {
      const path = at === "" ? name : `${at}.${name}`;
      const many = Array.isArray(inner) && inner.some((entry) => typeof entry === "object");
      const meaning = meanings.get(path) ?? (Array.isArray(inner) ? meanings.get(`${path}[]`) : undefined);
      if (meaning !== undefined) lines.push(...comment(meaning, indent));
      if (many) {
        lines.push(`${indent}${name}:`);
        for (const entry of inner as unknown[]) {
          const from = lines.length;
          put(entry, `${path}[]`, `${indent}    `);
          // The dash stands before the entry's first key, which its comments precede.
          const first = lines.findIndex((line, index) => index >= from && !line.trimStart().startsWith("#"));
          lines[first] = `${indent}  - ${lines[first]!.trimStart()}`;
        }
      } else if (inner !== null && typeof inner === "object" && !Array.isArray(inner) && meaning === undefined) {
        lines.push(`${indent}${name}:`);
        put(inner, path, `${indent}  `);
      } else lines.push(`${indent}${name}: ${JSON.stringify(inner)}`);
    }
  };
  put(value, "", "");
  return `${lines.join("\n")}\n`;
}
const COMMENT_COLUMNS = 130;
function comment(text: string, indent: string): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= COMMENT_COLUMNS) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(`${indent}# ${word}`);
  }
  return lines;
}

/** Changes a file in place: what `change` does not touch stays, comments included. The new file is there whole or not at all; 0600. */
export function changeConfigFile(file: string, change: (document: Document) => void): void {
  const document = parseDocument(fs.readFileSync(file, "utf8"));
  change(document);
  writePrivate(file, document.toString({ lineWidth: 0 }));
}

/** Writes a file that only its owner may read, whole or not at all. */
export function writePrivate(file: string, content: string | Buffer): void {
  fs.writeFileSync(`${file}.new`, content, { mode: 0o600 });
  fs.renameSync(`${file}.new`, file);
}
