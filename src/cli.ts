#!/usr/bin/env node
import { endOnEarlySignals } from './entry/node/early-signals.ts';

/** The command `durably`. */
const args = process.argv.slice(2);
// Options of the program with values may come first. The command itself knows what it is when it is loaded.
if (args.find((arg) => !arg.startsWith('-')) === 'serve') endOnEarlySignals();
const { runCommand } = await import('./cli/program.ts');
process.exitCode = await runCommand(args);
