/** Holds documents against the project's JSON Schemas; knows what of JSON Schema these use. */

/**
 * Return the JSON path of the first place that does not fit, null where all does.
 *
 * @param document What was parsed.
 * @param schema A whole schema, with its `$defs`.
 */
export function misfit(document, schema) {
  const check = (value, rule, path) => {
    if (rule.$ref) {
      return check(value, schema.$defs[rule.$ref.split("/").at(-1)], path);
    }
    if (rule.anyOf) {
      const found = rule.anyOf.map((option) => check(value, option, path));
      return found.includes(null) ? null : found.sort((a, b) => b.length - a.length)[0];
    }
    return own(value, rule) ? inside(value, rule, path, check) : path;
  };
  return check(document, schema, "$");
}

const KINDS = {
  integer: (value) => Number.isInteger(value),
  number: (value) => typeof value === "number",
  string: (value) => typeof value === "string",
  boolean: (value) => typeof value === "boolean",
  null: (value) => value === null,
  array: Array.isArray,
  object: (value) => typeof value === "object" && value !== null && !Array.isArray(value),
};

/** Whether a value itself fits, whatever it holds. */
function own(value, rule) {
  const characters = typeof value === "string" ? [...value].length : 0;
  const names = KINDS.object(value) ? Object.keys(value) : [];
  const unknown = (name) => rule.additionalProperties === false && !(name in (rule.properties ?? {}));
  return (
    (rule.type === undefined || KINDS[rule.type](value)) &&
    (rule.enum === undefined || rule.enum.includes(value)) &&
    !(value < rule.minimum || value > rule.maximum) &&
    !(characters > rule.maxLength || value?.length < rule.minItems || value?.length > rule.maxItems) &&
    (rule.pattern === undefined || new RegExp(rule.pattern, "u").test(value)) &&
    !(names.length > rule.maxProperties || names.some(unknown)) &&
    (rule.required ?? []).every((name) => names.includes(name)) &&
    names.every((name) => !([...name].length > rule.propertyNames?.maxLength))
  );
}

/** Return the first misfit among what a value holds. */
function inside(value, rule, path, check) {
  if (Array.isArray(value)) {
    const rules = (index) => rule.prefixItems?.[index] ?? rule.items;
    return first(value.map((item, index) => [item, rules(index), `${path}[${index}]`]), check);
  }
  if (!KINDS.object(value)) {
    return null;
  }
  const open = typeof rule.additionalProperties === "object" ? rule.additionalProperties : null;
  const held = Object.entries(value).map(([name, item]) => [
    item, rule.properties?.[name] ?? open, `${path}.${name}`,
  ]);
  return first(held.filter(([, inner]) => inner), check);
}

function first(held, check) {
  for (const [value, rule, path] of held) {
    const found = check(value, rule, path);
    if (found !== null) {
      return found;
    }
  }
  return null;
}
