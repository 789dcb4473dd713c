/** `node-2` before `node-10`. */
export const compareNames: (a: string, b: string) => number = new Intl.Collator('en', { numeric: true }).compare;
