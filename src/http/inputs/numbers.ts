import { visit } from 'jsonc-parser';
import type { ValidationIssue } from '../../core/errors/errors.ts';
import { MAX_ISSUES } from '../../core/validation/issues.ts';
import { shorten } from '../../core/validation/known-names.ts';

/** JavaScript can only change numbers with this many digits or with an exponent. Texts may match too. */
const SUSPECT = /\d{16}|\d[eE]/;

/**
 * Finds the numbers in a valid JSON text that JavaScript would change: those that become infinite or zero
 * (`1e400`, `1e-400`), and those beyond ±2^53 that lose digits (`9007199254740993`). Rounding of fractions is
 * accepted.
 */
export function unheldNumbers(text: string): ValidationIssue[] {
  if (!SUSPECT.test(text)) return [];
  const issues: ValidationIssue[] = [];
  visit(text, {
    onLiteralValue(value: unknown, offset, length, _line, _character, pathOf) {
      if (typeof value !== 'number' || issues.length === MAX_ISSUES) return;
      const literal = text.slice(offset, offset + length);
      if (isHeld(literal)) return;
      const path = pathOf();
      const where = path.length === 0 ? 'The body' : shorten(path.join('.'), MAX_PATH_LENGTH);
      const message = `${where} is a number that JavaScript can't hold: ${shorten(literal)}`;
      issues.push({ path, message });
    },
  });
  return issues;
}

const MAX_PATH_LENGTH = 256;

function isHeld(literal: string): boolean {
  const value = Number(literal);
  if (!Number.isFinite(value)) return false;
  if (value === 0) return significantDigits(literal).digits === '';
  if (Math.abs(value) <= Number.MAX_SAFE_INTEGER) return true;
  const given = significantDigits(literal);
  const held = significantDigits(String(value));
  return given.digits === held.digits && given.exponent === held.exponent;
}

/**
 * Writes a number as `0.<digits> × 10^<exponent>` without leading or trailing zeros, so that equal numbers have
 * equal texts.
 */
function significantDigits(literal: string): { readonly digits: string; readonly exponent: number } {
  const [mantissa = '', power = '0'] = literal.replace(/^[+-]/, '').split(/e/i);
  const [whole = '', fraction = ''] = mantissa.split('.');
  const all = `${whole}${fraction}`;
  const leading = all.length - all.replace(/^0+/, '').length;
  return {
    digits: withoutTrailingZeros(all.slice(leading)),
    exponent: whole.length - leading + Number(power),
  };
}

/** A loop, because a regular expression would take quadratic time. */
function withoutTrailingZeros(digits: string): string {
  let end = digits.length;
  while (end > 0 && digits[end - 1] === '0') end--;
  return digits.slice(0, end);
}
