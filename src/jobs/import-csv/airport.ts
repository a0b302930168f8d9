import * as z from 'zod';

/** Text without control characters. SQL would cut the text short at a NUL when it is read back. */
const text = (maxLength: number) =>
  z
    .string({ error: 'missing' })
    .trim()
    .min(1, 'empty')
    .max(maxLength, `longer than ${maxLength} characters`)
    .regex(/^\P{Cc}*$/u, 'holds a control character');

/** `NA` and an empty field both mean that the value is unknown. */
const textOrNull = (maxLength: number) =>
  z.preprocess(
    (value) => (typeof value === 'string' && /^\s*(?:NA)?\s*$/.test(value) ? null : value),
    text(maxLength).nullable(),
  );

const degrees = (bound: number) =>
  z
    .string({ error: 'missing' })
    .trim()
    .regex(/^[+-]?\d{1,3}(?:\.\d+)?$/, 'not a decimal number')
    .transform(Number)
    .pipe(z.number().min(-bound, `below -${bound}`).max(bound, `above ${bound}`));

/** Converts one row of the CSV file from texts to values. */
export const airportSchema = z.object({
  iata: z
    .string({ error: 'missing' })
    .trim()
    .toUpperCase()
    .regex(/^[A-Z0-9]{3,4}$/, 'not three or four letters or digits'),
  name: text(200),
  city: textOrNull(200),
  state: textOrNull(100),
  country: text(100),
  latitude: degrees(90),
  longitude: degrees(180),
});

export type Airport = z.output<typeof airportSchema>;

export const AIRPORT_COLUMNS: readonly string[] = Object.keys(airportSchema.shape);
