import * as z from 'zod';
import { expecting } from '../validation/shown-value.ts';

/** A place in a list of runs as a text that only durably reads. */
export function encodeCursor(place: number): string {
  return `c${place.toString(36)}`;
}

const CURSOR = /^c([0-9a-z]{1,10})$/;

export const cursorSchema = z
  .string()
  .regex(CURSOR, expecting('must be the cursor of a list'))
  .transform((cursor) => Number.parseInt(CURSOR.exec(cursor)?.[1] ?? '', 36));
