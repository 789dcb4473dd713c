/** A map of at most `size` entries: the one that was not asked for the longest goes first. */
export class BoundedCache<Value> {
  readonly #size: number;
  readonly #entries = new Map<string | number, Value>();

  constructor(size: number) {
    this.#size = size;
  }

  get(key: string | number): Value | undefined {
    const value = this.#entries.get(key);
    if (value === undefined) return undefined;
    // A map keeps the order in which keys were added.
    this.#entries.delete(key);
    this.#entries.set(key, value);
    return value;
  }

  set(key: string | number, value: Value): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > this.#size && oldest !== undefined) this.#entries.delete(oldest);
  }
}
