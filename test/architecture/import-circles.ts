import type { SourceFile } from './source-files.ts';

/**
 * Every circle of imports that is there when the program runs, as `a -> b -> a`; each is reported once. Imports of
 * types alone are left out: nothing of them is loaded.
 */
export function importCircles(files: readonly SourceFile[]): readonly string[] {
  const importsOf = new Map(
    files.map(({ path, imports }) => [
      path,
      imports.flatMap(({ file, typeOnly }) => (file === undefined || typeOnly ? [] : [file])),
    ]),
  );
  const circles: string[] = [];
  const done = new Set<string>();
  const way: string[] = [];
  const visit = (path: string): void => {
    const begin = way.indexOf(path);
    if (begin >= 0) return void circles.push([...way.slice(begin), path].join(' -> '));
    if (done.has(path)) return;
    way.push(path);
    for (const next of importsOf.get(path) ?? []) visit(next);
    way.pop();
    done.add(path);
  };
  for (const path of importsOf.keys()) visit(path);
  return circles;
}
