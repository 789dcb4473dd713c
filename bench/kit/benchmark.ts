/** How a benchmark is to run. */
export interface RunOptions {
  /** Fewer rounds: shows that everything works; the figures say little. */
  readonly quick: boolean;
  /** Told what is being done, for people who wait. */
  readonly progress: (text: string) => void;
}

/** What the figures of one column are. */
export type Unit = 'ms' | 'us' | 'KiB' | 'x' | '%' | 'count';

export interface Column {
  readonly title: string;
  readonly unit: Unit;
}

export interface Row {
  readonly name: string;
  /** One a column; undefined where there is nothing to say. */
  readonly cells: readonly (number | undefined)[];
}

export interface Table {
  readonly title: string;
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
}

export interface Report {
  /** What was done, how often, and how the figures were made of it. */
  readonly method: string;
  readonly tables: readonly Table[];
}

/** One benchmark: ends by itself and leaves neither process nor file. Rejects when what it measures went wrong. */
export interface Benchmark {
  readonly name: string;
  /** The question it answers, in one line. */
  readonly question: string;
  run(options: RunOptions): Promise<Report>;
}
