import { z } from 'zod';

export type Json = Record<string, unknown>;

/** Schemas by the name under which others refer to them. */
export type Components = Map<string, unknown>;

interface SchemaUse {
  readonly components: Components;
  /** `all`: also those that every whole number in JavaScript has. */
  readonly bounds?: 'all';
  readonly io: 'input' | 'output';
}

export function jsonContent(schema: z.ZodType, use: SchemaUse): Json {
  return { 'application/json': { schema: toJson(schema, use) } };
}

/** JSON Schema of a zod schema; those with an id of their own become components. */
export function toJson(schema: z.core.$ZodType, { components, io, bounds }: SchemaUse): Json {
  const { $schema, $defs, ...own } = z.toJSONSchema(schema, {
    io,
    override: ({ jsonSchema }) => {
      // Answers may grow, and what only zod needs to say is noise here.
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
