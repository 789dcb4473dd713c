import { setTimeout as wait } from 'node:timers/promises';
import type { UpgradeCluster, UpgradeNode } from './upgrade-cluster.ts';

/** Asks the cluster for its state all the time, as `selvedgectl -s A,B,C status` would: the first node that answers. */
export class AdminPolling {
  polls = 0;
  failed = 0;
  #stopped = false;

  constructor(cluster: UpgradeCluster) {
    void this.#run(cluster);
  }

  stop(): void {
    this.#stopped = true;
  }

  async #run(cluster: UpgradeCluster): Promise<void> {
    while (!this.#stopped) {
      const answered = await this.#ask(cluster, cluster.nodes);
      if (this.#stopped) return;
      this.polls += 1;
      if (!answered) this.failed += 1;
      await wait(200);
    }
  }

  async #ask(cluster: UpgradeCluster, [first, ...others]: readonly UpgradeNode[]): Promise<boolean> {
    if (first === undefined) return false;
    return cluster.status(first).then(
      () => true,
      () => this.#ask(cluster, others),
    );
  }
}
