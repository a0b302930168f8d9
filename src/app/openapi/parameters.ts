import * as z from 'zod';
import { headerOf, isRepeatable, prefixOf } from '../../http/query.ts';
import { type Components, type Json, toJson } from './json-schema.ts';

/** The parameters of a query. Those that may be sent as a header, too, come twice. */
export function parametersOf({ shape }: z.ZodObject, components: Components): Json[] {
  return Object.entries(shape).flatMap(([name, schema]) => {
    const { description, ...type } = toJson(z.optional(schema), { components, io: 'output', bounds: 'all' });
    const required = !z.safeParse(schema, undefined).success;
    const common = { required, schema: type, ...(description === undefined ? {} : { description }) };
    // With `explode`, a list repeats its parameter, and an object becomes one parameter per property.
    const list = isRepeatable(schema) || name in prefixOf ? { style: 'form', explode: true } : {};
    const query = { name, in: 'query', ...common, ...list };
    const header = headerOf[name];
    return header === undefined ? [query] : [query, { name: header, in: 'header', ...common }];
  });
}
