/** A value that changes, with one writer and many readers. Readers get the present value at once and every later one. */
export interface ObservableValue<T> {
  readonly value: T;
  /** Calls `listener` after each change (not for the present value). Returns the function that stops it, at once. */
  subscribe(listener: (value: T, previous: T) => void): () => void;
}

/** The writer's side of an {@link ObservableValue}. Setting an identical value (`Object.is`) is no change. */
export class MutableValue<T> implements ObservableValue<T> {
  #value: T;
  readonly #listeners = new Set<(value: T, previous: T) => void>();

  constructor(initial: T) {
    this.#value = initial;
  }

  get value(): T {
    return this.#value;
  }

  set(next: T): void {
    const previous = this.#value;
    if (Object.is(previous, next)) return;
    this.#value = next;
    for (const listener of [...this.#listeners]) {
      if (this.#listeners.has(listener)) listener(next, previous);
      // That listener set it again: all know the newer value already and must not hear of this one after it.
      if (!Object.is(this.#value, next)) return;
    }
  }

  subscribe(listener: (value: T, previous: T) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** A value derived from another; recomputed at each change, published only when `derive` returns something new. */
export function derived<T, U>(source: ObservableValue<T>, derive: (value: T) => U): ObservableValue<U> & Disposable {
  const target = new MutableValue(derive(source.value));
  const stop = source.subscribe(value => target.set(derive(value)));
  return Object.assign(target, { [Symbol.dispose]: stop });
}

/** A value that never changes, for those who take an {@link ObservableValue}. */
export function constant<T>(value: T): ObservableValue<T> {
  return { value, subscribe: () => () => {} };
}
