import type { PeerEntry, PeerState } from './peer-table.ts';

type Facts = Pick<PeerEntry, 'state' | 'reason' | 'detail' | 'since'>;

/** How a peer stands, since when, and whether a problem with it is news. */
export class PeerStanding {
  #facts: Facts = { state: 'connecting', reason: undefined, detail: undefined, since: new Date() };
  #lastProblem = '';

  get facts(): Facts {
    return this.#facts;
  }

  /** `since` changes only where state or reason do. */
  set(state: PeerState, reason?: string, detail?: string): void {
    const before = this.#facts;
    const since = state === before.state && reason === before.reason ? before.since : new Date();
    this.#facts = { state, reason, detail: detail === '' ? undefined : detail, since };
    if (state === 'connected') this.#lastProblem = '';
  }

  /** True when a dial did not fail like that the last time, or worked in between. */
  isNews(problem: string): boolean {
    const news = problem !== this.#lastProblem;
    this.#lastProblem = problem;
    return news;
  }
}
