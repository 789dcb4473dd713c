#!/usr/bin/env node
import { EXIT } from './exit-codes.ts';
import { runProgram } from './run-program.ts';
import { selvedgectlProgram } from './selvedgectl-program.ts';
import { processTerminal } from './terminal.ts';

process.exitCode = await runProgram({
  build: selvedgectlProgram,
  args: process.argv.slice(2),
  terminal: processTerminal(),
  configExitCode: EXIT.failure,
});
