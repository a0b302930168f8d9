/** A JSON Schema, as a service sends it. Nothing is known of its members. */
export type Schema = Readonly<Record<string, unknown>>;

export type FieldKind =
  | { readonly kind: 'text'; readonly isLong: boolean; readonly inputMode: 'text' | 'email' | 'url' }
  | { readonly kind: 'number'; readonly isWhole: boolean }
  | { readonly kind: 'boolean' }
  | { readonly kind: 'choice'; readonly values: readonly (string | number | boolean)[] }
  /** A list of texts, one a line. */
  | { readonly kind: 'lines' }
  /** What the form has no field for is written as JSON. */
  | { readonly kind: 'json' }
  | { readonly kind: 'group'; readonly fields: readonly Field[] };

/** A member of the input, as a field of the form. */
export interface Field {
  readonly path: readonly string[];
  readonly name: string;
  readonly what: FieldKind;
  readonly isRequired: boolean;
  readonly isNullable: boolean;
  readonly description: string;
  readonly hasDefault: boolean;
  readonly default: unknown;
  readonly schema: Schema;
}

const MAX_DEPTH = 4;
const LONG_TEXT = 200;

const isObject = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The fields of an input. Null if it is no object with known members, so that it is written as JSON. */
export function fieldsOf(schema: Schema | null): readonly Field[] | null {
  if (schema === null) return null;
  const root = resolved(schema, schema);
  return root.type === 'object' && isObject(root.properties)
    ? membersOf(root, { root: schema, path: [] })
    : null;
}

interface Place {
  readonly root: Schema;
  readonly path: readonly string[];
}

function membersOf(schema: Schema, { root, path }: Place): Field[] {
  const required = Array.isArray(schema.required) ? schema.required : [];
  return Object.entries(isObject(schema.properties) ? schema.properties : {}).map(([name, member]) => {
    const given = isObject(member) ? member : {};
    const { schema: own, isNullable } = withoutNull(resolved(given, root), root);
    const described = [given.description, own.description].find((text) => typeof text === 'string');
    const shown = { ...own, ...('default' in given ? { default: given.default } : {}) };
    return {
      path: [...path, name],
      name,
      what: kindOf(shown, { root, path: [...path, name] }),
      isRequired: required.includes(name) && !('default' in shown),
      isNullable,
      description: described ?? '',
      hasDefault: 'default' in shown,
      default: shown.default,
      schema: shown,
    };
  });
}

function kindOf(schema: Schema, place: Place): FieldKind {
  const { type } = schema;
  const values = Array.isArray(schema.enum) ? schema.enum : 'const' in schema ? [schema.const] : undefined;
  if (values?.every((value) => ['string', 'number', 'boolean'].includes(typeof value)))
    return { kind: 'choice', values };
  if (type === 'string') {
    const isLong = typeof schema.maxLength === 'number' && schema.maxLength > LONG_TEXT;
    return {
      kind: 'text',
      isLong,
      inputMode: schema.format === 'email' ? 'email' : schema.format === 'uri' ? 'url' : 'text',
    };
  }
  if (type === 'integer' || type === 'number') return { kind: 'number', isWhole: type === 'integer' };
  if (type === 'boolean') return { kind: 'boolean' };
  if (type === 'array' && isObject(schema.items) && schema.items.type === 'string') return { kind: 'lines' };
  if (type === 'object' && isObject(schema.properties) && place.path.length < MAX_DEPTH) {
    return { kind: 'group', fields: membersOf(schema, place) };
  }
  return { kind: 'json' };
}

/** Follows references inside the schema, such as `#/$defs/address`. */
function resolved(schema: Schema, root: Schema): Schema {
  let found: unknown = schema;
  for (let steps = 0; steps < 10 && isObject(found) && typeof found.$ref === 'string'; steps++) {
    let target: unknown = root;
    for (const part of found.$ref.replace(/^#\/?/, '').split('/')) {
      if (part !== '')
        target = isObject(target) ? target[part.replaceAll('~1', '/').replaceAll('~0', '~')] : undefined;
    }
    found = target;
  }
  return isObject(found) ? found : {};
}

function withoutNull(
  schema: Schema,
  root: Schema,
): { readonly schema: Schema; readonly isNullable: boolean } {
  if (Array.isArray(schema.type)) {
    const types = schema.type.filter((type) => type !== 'null');
    const isNullable = types.length < schema.type.length;
    return { schema: types.length === 1 ? { ...schema, type: types[0] } : schema, isNullable };
  }
  if (!Array.isArray(schema.anyOf)) return { schema, isNullable: false };
  const others = schema.anyOf.filter((one) => !isObject(one) || one.type !== 'null');
  const isNullable = others.length < schema.anyOf.length;
  if (others.length !== 1 || !isObject(others[0])) return { schema, isNullable };
  const { anyOf, ...rest } = schema;
  return { schema: { ...rest, ...resolved(others[0], root) }, isNullable };
}
