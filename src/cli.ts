#!/usr/bin/env node
import { runCommand } from './cli/program.ts';

/** The command `durably`. */
process.exitCode = await runCommand(process.argv.slice(2));
