import * as z from 'zod';

export type Json = Record<string, unknown>;

/** Schemas by the name that references use. */
export type Components = Map<string, unknown>;

interface SchemaUse {
  readonly components: Components;
  /** `all` keeps a maximum of `Number.MAX_SAFE_INTEGER`, which is left out by default. */
  readonly bounds?: 'all';
  readonly io: 'input' | 'output';
}

/** The `content` of a JSON body in OpenAPI. */
export function jsonContent(schema: z.ZodType, use: SchemaUse): Json {
  return { 'application/json': { schema: toJson(schema, use) } };
}

/** Converts a zod schema to JSON Schema. Schemas with an id become components. */
export function toJson(schema: z.core.$ZodType, { components, io, bounds }: SchemaUse): Json {
  const { $schema, $defs, ...own } = z.toJSONSchema(schema, {
    io,
    override: ({ jsonSchema }) => {
      // Answers may get more members later. The other deletions remove details that only zod needs.
      if (io === 'output' && jsonSchema.additionalProperties === false)
        delete jsonSchema.additionalProperties;
      if (jsonSchema.format === 'date-time') delete jsonSchema.pattern;
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
      if (bounds !== 'all' && jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
    },
  });
  for (const [id, definition] of Object.entries($defs ?? {}))
    components.set(id, pointToComponents(definition));
  return pointToComponents(own);
}

function pointToComponents(schema: object): Json {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/$defs/', '"#/components/schemas/'));
}
