import { fileURLToPath } from 'node:url';

/** Set to `dist`, the built programs are run, which start in half the time. Build before; `npm test` does. */
export const PROGRAMS_VARIABLE = 'TEST_PROGRAMS';

/** The arguments of Node that run a program of this tree. */
export function programOf(name: 'selvedge' | 'selvedgectl'): readonly string[] {
  if (process.env[PROGRAMS_VARIABLE] === 'dist') return [pathOf(`../../dist/cli/${name}.js`)];
  return ['--import', 'tsx', pathOf(`../../src/cli/${name}.ts`)];
}

function pathOf(path: string): string {
  return fileURLToPath(new URL(path, import.meta.url));
}
