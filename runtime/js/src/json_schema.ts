/**
 * Check a value against the part of JSON Schema that the Python structs generate, in the words of their reader.
 *
 * A general validator would be larger than the rest of this package, and would say it in other sentences.
 */
import { repr } from "./sentences.ts";

export interface Schema {
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, Schema>>;
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly propertyNames?: Schema;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly default?: unknown;
}

/** A value is not what the schema says. */
export class SchemaError extends Error {}

const NAMES: Readonly<Record<string, string>> = {
  integer: "int", number: "float", string: "str", object: "object", array: "array", null: "null",
};

/** Throw a SchemaError with the place of the first difference; fill in the defaults of missing fields. */
export function validate(value: unknown, schema: Schema): void {
  check(value, schema, schema.$defs ?? {}, "$");
}

function check(value: unknown, schema: Schema, defs: Readonly<Record<string, Schema>>, path: string): void {
  const resolved = resolve(schema, defs);
  if (resolved.anyOf) {
    const options = resolved.anyOf.map((option) => resolve(option, defs));
    const fitting = options.find((option) => fits(value, option));
    if (!fitting) throw wrongType(value, options.map((option) => name(option)).join(" | "), path);
    check(value, fitting, defs, path);
    return;
  }
  if (!fits(value, resolved)) throw wrongType(value, name(resolved), path);
  if (resolved.enum && !resolved.enum.includes(value)) throw at(`Invalid enum value ${repr(value)}`, path);
  if (typeof value === "number") checkNumber(value, resolved, path);
  if (typeof value === "string") checkText(value, resolved, path);
  if (Array.isArray(value)) {
    const { items, minItems, maxItems } = resolved;
    checkLength(value.length, "array", minItems, maxItems, path);
    if (items) value.forEach((item, index) => check(item, items, defs, `${path}[${index}]`));
  } else if (typeof value === "object" && value !== null) {
    checkObject(value as Record<string, unknown>, resolved, defs, path);
  }
}

function checkNumber(value: number, schema: Schema, path: string): void {
  if (!Number.isFinite(value)) throw at("Number out of range", path); // 1e400
  const bounds = [
    [">=", schema.minimum, (bound: number) => value >= bound],
    [">", schema.exclusiveMinimum, (bound: number) => value > bound],
    ["<=", schema.maximum, (bound: number) => value <= bound],
    ["<", schema.exclusiveMaximum, (bound: number) => value < bound],
  ] as const;
  for (const [sign, bound, holds] of bounds) {
    if (bound === undefined || holds(bound)) continue;
    const shown = schema.type === "number" && Number.isInteger(bound) ? bound.toFixed(1) : String(bound);
    throw at(`Expected \`${name(schema)}\` ${sign} ${shown}`, path);
  }
}

function checkText(value: string, schema: Schema, path: string): void {
  checkLength([...value].length, "str", schema.minLength, schema.maxLength, path); // code points, as Python counts
  const { pattern } = schema;
  if (pattern !== undefined && !regex(pattern).test(value)) {
    throw at(`Expected \`str\` matching regex ${repr(pattern)}`, path);
  }
}

/** Return a pattern of Python's, whose \A and \Z are the ends of the whole text; here ^ and $ are. */
function regex(pattern: string): RegExp {
  const ends: Readonly<Record<string, string>> = { "\\A": "^", "\\Z": "$" };
  return new RegExp(pattern.replace(/\\./gs, (escaped) => ends[escaped] ?? escaped), "u");
}

function checkLength(
  length: number, kind: string, least: number | undefined, most: number | undefined, path: string,
): void {
  if (least !== undefined && length < least) throw at(`Expected \`${kind}\` of length >= ${least}`, path);
  if (most !== undefined && length > most) throw at(`Expected \`${kind}\` of length <= ${most}`, path);
}

function checkObject(
  value: Record<string, unknown>, schema: Schema, defs: Readonly<Record<string, Schema>>, path: string,
): void {
  const { properties = {}, additionalProperties, propertyNames, required = [] } = schema;
  checkLength(Object.keys(value).length, "object", schema.minProperties, schema.maxProperties, path);
  for (const [key, entry] of Object.entries(value)) {
    if (propertyNames) checkText(key, propertyNames, `key\` in \`${path}`);
    const property = Object.hasOwn(properties, key) ? properties[key] : undefined;
    if (property) check(entry, property, defs, `${path}.${key}`);
    else if (additionalProperties === false) throw at(`Object contains unknown field \`${key}\``, path);
    else if (typeof additionalProperties === "object") check(entry, additionalProperties, defs, `${path}[...]`);
  }
  const missing = required.find((key) => !Object.hasOwn(value, key));
  if (missing !== undefined) throw at(`Object missing required field \`${missing}\``, path);
  for (const [key, property] of Object.entries(properties)) {
    if (!Object.hasOwn(value, key) && "default" in property) value[key] = structuredClone(property.default);
  }
}

function resolve(schema: Schema, defs: Readonly<Record<string, Schema>>): Schema {
  const target = schema.$ref?.split("/").at(-1);
  return (target === undefined ? undefined : defs[target]) ?? schema;
}

function fits(value: unknown, schema: Schema): boolean {
  const type = schema.type ?? (schema.enum ? "string" : undefined);
  if (type === undefined) return true;
  const seen = typeOf(value);
  return seen === type || (type === "number" && seen === "integer");
}

function typeOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  // 1e400 reads as infinity, which is out of the range of either.
  if (typeof value === "number") return Number.isInteger(value) || !Number.isFinite(value) ? "integer" : "number";
  return typeof value;
}

function name(schema: Schema): string {
  return NAMES[schema.type ?? "string"] ?? String(schema.type);
}

function wrongType(value: unknown, expected: string, path: string): SchemaError {
  const seen = typeOf(value);
  return at(`Expected \`${expected}\`, got \`${NAMES[seen] ?? (seen === "boolean" ? "bool" : seen)}\``, path);
}

function at(sentence: string, path: string): SchemaError {
  return new SchemaError(path === "$" ? sentence : `${sentence} - at \`${path}\``);
}
