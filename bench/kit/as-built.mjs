// Has benchmarks run what is shipped: what they import of src is what `npm run build` made of it. tsx, with which they
// run themselves, gives a function its name again whenever it is made, and that would cost calls more than what is done.
import { register } from 'node:module';
import { isMainThread } from 'node:worker_threads';

// The hooks, in the thread of modules, are in this file as well.
if (isMainThread) register(import.meta.url);

const [SOURCES, BUILT] = ['src', 'dist'].map(name => new URL(`../../${name}/`, import.meta.url).href);

export async function resolve(specifier, context, nextResolve) {
  const { parentURL = '' } = context;
  if (!specifier.startsWith('.') || !parentURL.startsWith('file:')) return nextResolve(specifier, context);
  const { href } = new URL(specifier, parentURL);
  if (!href.startsWith(SOURCES)) return nextResolve(specifier, context);
  const url = (BUILT + href.slice(SOURCES.length)).replace(/\.ts$/, '.js');
  return { url, format: 'module', shortCircuit: true };
}
