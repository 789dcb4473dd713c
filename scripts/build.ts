// Compiles src to dist and makes the binaries executable.
import { execFileSync } from 'node:child_process';
import { chmodSync, rmSync } from 'node:fs';

rmSync('dist', { recursive: true, force: true });
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], { stdio: 'inherit' });
for (const binary of ['dist/cli/selvedge.js', 'dist/cli/selvedgectl.js']) chmodSync(binary, 0o755);
