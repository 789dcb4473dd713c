#!/usr/bin/env node
import { EXIT } from './exit-codes.ts';
import { runProgram } from './run-program.ts';
import { selvedgeProgram } from './selvedge-program.ts';
import { processTerminal } from './terminal.ts';

const exitCode = await runProgram({
  build: selvedgeProgram,
  args: process.argv.slice(2),
  terminal: processTerminal(),
  configExitCode: EXIT.config,
});
// A daemon that has closed ends, whatever an application's service has left open.
process.exit(exitCode);
