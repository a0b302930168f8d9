import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planFiring } from '../../src/core/schedules/plan.ts';
import { checkAhead, parseScheduleRule } from '../../src/core/schedules/rule.ts';
import type { DueSchedule, JobSchedule } from '../../src/core/schedules/schedule.ts';
import { latestSlots, slotsAfter, type Timing } from '../../src/core/schedules/timing.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

function timing(given: Partial<Timing>): Timing {
  return {
    cron: null,
    everyMs: null,
    timezone: 'UTC',
    startAtMs: null,
    endAtMs: null,
    anchorMs: 0,
    ...given,
  };
}

const at = (iso: string) => Date.parse(iso);
const shown = (slots: readonly number[]) => slots.map((slot) => new Date(slot).toISOString().slice(0, 16));
const next = (given: Partial<Timing>, from: string, count: number) =>
  shown(slotsAfter(timing(given), at(from), count));

/** 30 minutes of daylight saving on Lord Howe Island, an hour elsewhere. */
describe('a time of day', () => {
  it.each([
    ['Europe/Berlin', '30 2 * * *', '2026-03-28T12:00Z', ['03-29T01:00', '03-30T00:30', '03-31T00:30']],
    ['America/New_York', '30 2 * * *', '2026-03-07T12:00Z', ['03-08T07:00', '03-09T06:30', '03-10T06:30']],
    ['Australia/Lord_Howe', '15 2 * * *', '2026-10-02T16:00Z', ['10-03T15:30', '10-04T15:15', '10-05T15:15']],
  ])('that a spring in %s leaves out comes right after the gap', (timezone, cron, from, expected) => {
    expect(next({ cron, timezone }, from, 3)).toEqual(expected.map((each) => `2026-${each}`));
  });

  it.each([
    ['Europe/Berlin', '30 2 * * *', '2026-10-24T12:00Z', ['10-25T00:30', '10-26T01:30', '10-27T01:30']],
    ['America/New_York', '30 1 * * *', '2026-10-31T12:00Z', ['11-01T05:30', '11-02T06:30', '11-03T06:30']],
    ['Australia/Lord_Howe', '45 1 * * *', '2026-04-04T00:00Z', ['04-04T14:45', '04-05T15:15', '04-06T15:15']],
  ])('that an autumn in %s has twice comes once, the first time', (timezone, cron, from, expected) => {
    expect(next({ cron, timezone }, from, 3)).toEqual(expected.map((each) => `2026-${each}`));
  });
});

describe('a repeated time', () => {
  it.each([
    ['Europe/Berlin', '2026-03-29T00:00Z', ['00:30', '01:00', '01:30', '02:00']],
    ['America/New_York', '2026-03-08T06:00Z', ['06:30', '07:00', '07:30', '08:00']],
    ['Australia/Lord_Howe', '2026-10-03T14:30Z', ['15:00', '15:30', '16:00', '16:30']],
  ])('goes on without a gap through a spring in %s', (timezone, from, expected) => {
    const slots = next({ cron: '*/30 * * * *', timezone }, from, 4);
    expect(slots.map((slot) => slot.slice(11))).toEqual(expected);
  });

  it.each([
    ['Europe/Berlin', '2026-10-25T00:00Z', ['00:30', '01:00', '01:30', '02:00']],
    ['America/New_York', '2026-11-01T05:00Z', ['05:30', '06:00', '06:30', '07:00']],
    ['Australia/Lord_Howe', '2026-04-04T14:30Z', ['15:00', '15:30', '16:00', '16:30']],
  ])('comes in both passes through an hour that an autumn in %s has twice', (timezone, from, expected) => {
    const slots = next({ cron: '*/30 * * * *', timezone }, from, 4);
    expect(slots.map((slot) => slot.slice(11))).toEqual(expected);
  });

  it('of a local hour that is left out is left out, and one that comes twice comes twice', () => {
    const cron = '0,30 2 * * *';
    const timezone = 'Europe/Berlin';
    expect(next({ cron, timezone }, '2026-03-28T12:00Z', 2)).toEqual([
      '2026-03-30T00:00',
      '2026-03-30T00:30',
    ]);
    expect(next({ cron, timezone }, '2026-10-24T12:00Z', 4)).toEqual([
      '2026-10-25T00:00',
      '2026-10-25T00:30',
      '2026-10-25T01:00',
      '2026-10-25T01:30',
    ]);
  });
});

describe('the slots of a schedule', () => {
  it('are the same backwards as forwards, also when clocks change', () => {
    const zones = fc.constantFrom('Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'UTC');
    const crons = fc.constantFrom('30 2 * * *', '*/7 1-3 * * *', '0 15 2 * * 0,6', '15 1,2 * * *', '@weekly');
    const starts = fc.integer({ min: at('2026-01-01T00:00Z'), max: at('2027-01-01T00:00Z') });
    fc.assert(
      fc.property(zones, crons, starts, (timezone, cron, from) => {
        const given = timing({ cron, timezone });
        const forwards = slotsAfter(given, from, 40);
        const untilMs = forwards.at(-1) ?? 0;
        expect(latestSlots(given, { fromMs: from + 1, untilMs, atMost: 1_000 })).toEqual(forwards);
        expect(latestSlots(given, { fromMs: from, untilMs, atMost: 5 })).toEqual(forwards.slice(-5));
      }),
      { numRuns: 12 },
    );
  });

  it('at a fixed interval are counted from where it began', () => {
    const stored = { everyMs: HOUR_MS, anchorMs: at('2026-01-01T00:10Z') };
    expect(next(stored, '2026-01-01T00:10Z', 2)).toEqual(['2026-01-01T01:10', '2026-01-01T02:10']);
    expect(next(stored, '2026-05-01T05:09Z', 1)).toEqual(['2026-05-01T05:10']);
    const startAtMs = at('2026-01-02T00:10Z');
    const started = { everyMs: HOUR_MS, anchorMs: startAtMs, startAtMs };
    expect(next(started, '2026-01-01T00:00Z', 2)).toEqual(['2026-01-02T00:10', '2026-01-02T01:10']);
    const given = timing(stored);
    const untilMs = at('2026-01-01T03:10Z');
    expect(shown(latestSlots(given, { fromMs: 0, untilMs, atMost: 2 }))).toEqual([
      '2026-01-01T02:10',
      '2026-01-01T03:10',
    ]);
    expect(latestSlots(given, { fromMs: 0, untilMs: given.anchorMs, atMost: 2 })).toEqual([]);
  });

  it('begin with startAt and end before endAt', () => {
    const bounds = { startAtMs: at('2026-01-02T10:00Z'), endAtMs: at('2026-01-04T10:00Z') };
    const daily = { cron: '0 10 * * *', ...bounds };
    expect(next(daily, '2026-01-01T00:00Z', 5)).toEqual(['2026-01-02T10:00', '2026-01-03T10:00']);
    const late = { fromMs: 0, untilMs: at('2027-01-01T00:00Z'), atMost: 2 };
    expect(
      shown(latestSlots(timing({ everyMs: HOUR_MS, anchorMs: bounds.startAtMs, ...bounds }), late)),
    ).toEqual(['2026-01-04T08:00', '2026-01-04T09:00']);
  });
});

describe('a rule', () => {
  const refused = (given: JobSchedule) => {
    try {
      parseScheduleRule(given);
    } catch (error) {
      return (error as Error).message;
    }
    return undefined;
  };

  it.each<[JobSchedule, string]>([
    [{}, 'cron or every must be given'],
    [{ cron: '@daily', every: '1m' }, 'cron "@daily" does not go with every "1m"'],
    [{ cron: '61 * * * *' }, 'cron "61 * * * *" is no cron expression: Invalid value for minute: 61'],
    [{ cron: '* * * *' }, 'cron "* * * *" is no cron expression'],
    [{ cron: '0 0 0 1 1 * 2030' }, 'cron "0 0 0 1 1 * 2030" is no cron expression'],
    [{ cron: '2030-01-01T00:00:00' }, 'cron "2030-01-01T00:00:00" is no cron expression'],
    [{ cron: '@reboot' }, 'cron "@reboot" is no cron expression'],
    [{ cron: '' }, 'cron "" is no cron expression'],
    [{ cron: '0 0 30 2 *' }, 'cron "0 0 30 2 *" never comes'],
    [{ cron: 5 as never }, 'cron must be a cron expression of at most 256 characters, not 5'],
    [{ every: '999ms' }, 'every must be at least \'1s\', not "999ms"'],
    [{ every: 'soon' as never }, 'every must be a duration of at most ten years'],
    [
      { every: '1h', timezone: 'Mars/Olympus' },
      'timezone must be an IANA time zone such as Europe/Berlin, not "Mars/Olympus"',
    ],
    [
      { every: '1h', timezone: 'Europe/Berlin' },
      'timezone "Europe/Berlin" does not go with every: only cron has a time zone',
    ],
    [{ every: '1h', missed: 'some' as never }, 'missed must be one of skip, once, all, not "some"'],
    [{ every: '1h', overlap: 'queue' as never }, 'overlap must be one of allow, skip, cancel, not "queue"'],
    [
      { every: '1h', startAt: 'tomorrow' },
      'startAt must be a Date or an ISO 8601 time with a time zone, not "tomorrow"',
    ],
    [
      { every: '1h', startAt: '2030-01-02T00:00:00Z', endAt: '2030-01-01T00:00:00Z' },
      'endAt must be after startAt 2030-01-02T00:00:00.000Z, not 2030-01-01T00:00:00.000Z',
    ],
  ])('is refused with the member and its value: %j', (given, message) => {
    expect(refused(given)).toContain(message);
  });

  it.each(['@daily', '@DAILY', ' 0 3 * * mon-fri ', '*/10 * * * * *', '0 0 L * *', '0 0 29 2 *'])(
    'may be %j',
    (cron) => {
      expect(parseScheduleRule({ cron }).timing).toMatchObject({ cron: cron.trim(), timezone: 'UTC' });
    },
  );

  it('that is new must lie ahead', () => {
    const now = at('2026-06-01T00:00Z');
    const check = (given: Partial<Timing>) => () => checkAhead(timing(given), now);
    expect(check({ everyMs: HOUR_MS, startAtMs: now - 1 })).toThrow(
      'startAt must not be over, but 2026-05-31T23:59:59.999Z is',
    );
    expect(check({ everyMs: HOUR_MS, endAtMs: now })).toThrow(
      'endAt must not be over, but 2026-06-01T00:00:00.000Z is',
    );
    expect(check({ cron: '0 0 1 1 *', endAtMs: at('2026-12-01T00:00Z') })).toThrow(
      'endAt leaves no slot before 2026-12-01T00:00:00.000Z',
    );
    expect(check({ everyMs: HOUR_MS, startAtMs: now })).not.toThrow();
  });
});

describe('a plan', () => {
  const nowMs = at('2026-06-01T12:00:30Z');
  const minutely = (given: Partial<DueSchedule> = {}): DueSchedule => ({
    id: 's',
    jobName: 'job',
    revision: '1',
    timing: timing({ cron: '* * * * *' }),
    nextAtMs: at('2026-06-01T12:00:00Z'),
    missed: 'skip',
    overlap: 'allow',
    fixedVersion: null,
    isPaused: false,
    nowMs,
    ...given,
  });
  const plan = (given: Partial<DueSchedule> = {}, laterMs = 0) => {
    const made = planFiring(minutely(given), { nowMs: nowMs + laterMs, lateMs: MINUTE_MS });
    return made && { ...made, slots: shown(made.slots) };
  };

  it('gives a slot that has come its run, and the schedule its next slot', () => {
    expect(plan()).toEqual({
      slots: ['2026-06-01T12:00'],
      validFromMs: at('2026-06-01T12:00:00Z'),
      nextAtMs: at('2026-06-01T12:01:00Z'),
      validUntilMs: at('2026-06-01T12:01:00Z'),
    });
  });

  it('is none for a slot that has not come, or a schedule that has ended', () => {
    expect(plan({ nextAtMs: nowMs + 1 })).toBeUndefined();
    expect(plan({ nextAtMs: null })).toBeUndefined();
  });

  it('passes over a slot that came too long ago, or after which another has come', () => {
    const timingOf = { timing: timing({ cron: '0 * * * *' }) };
    expect(plan(timingOf, MINUTE_MS)).toEqual({
      slots: [],
      // If the database's clock agrees.
      validFromMs: at('2026-06-01T12:01:00Z'),
      nextAtMs: at('2026-06-01T13:00:00Z'),
      validUntilMs: null,
    });
    expect(plan({ nextAtMs: at('2026-06-01T11:30:00Z') })).toMatchObject({ slots: ['2026-06-01T12:00'] });
  });

  it('makes up for missed slots by the latest one, or by each', () => {
    const nextAtMs = at('2026-06-01T11:58:00Z');
    expect(plan({ nextAtMs, missed: 'once' })?.slots).toEqual(['2026-06-01T12:00']);
    expect(plan({ nextAtMs, missed: 'all' })?.slots).toEqual([
      '2026-06-01T11:58',
      '2026-06-01T11:59',
      '2026-06-01T12:00',
    ]);
    expect(plan({ nextAtMs, missed: 'all', overlap: 'skip' })?.slots).toEqual(['2026-06-01T12:00']);
  });

  it('still gives a run to a slot that is none by the present rules of the time zone', () => {
    const nextAtMs = at('2026-06-01T12:00:10Z');
    expect(plan({ nextAtMs, missed: 'all' })).toMatchObject({
      validFromMs: nextAtMs,
      slots: ['2026-06-01T12:00'],
    });
  });

  it('ends with the last slot before the end', () => {
    const ended = timing({ cron: '* * * * *', endAtMs: at('2026-06-01T12:01:00Z') });
    expect(plan({ timing: ended })).toMatchObject({ slots: ['2026-06-01T12:00'], nextAtMs: null });
  });
});
