const MOST_IDS = 2 ** 32;

/** Numbers of the requests to one peer: each again only after 2^32 others, and while it is not in use. */
export class RequestIds {
  #last = 0;
  #hasWrapped = false;

  next(isInUse: (id: number) => boolean): number {
    this.#last += 1;
    if (this.#last === MOST_IDS) this.#hasWrapped = true;
    if (!this.#hasWrapped) return this.#last;
    this.#last %= MOST_IDS;
    while (isInUse(this.#last)) this.#last = (this.#last + 1) % MOST_IDS;
    return this.#last;
  }
}
