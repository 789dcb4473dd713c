import type { SecurityKind } from '../rpc/security.ts';

/** What decides between two streams of one pair of nodes. */
export interface StreamFacts {
  /** Of the peer. */
  readonly generation: number;
  readonly security: { readonly kind: SecurityKind };
  /** Name of the node that dialled. */
  readonly dialledBy: string;
  /** Grows with each stream of this process. */
  readonly order: number;
}

const STRENGTH: { readonly [Kind in SecurityKind]: number } = { none: 0, tls: 1, mutual_tls: 2 };

/**
 * Which of two streams of one pair stays: the one of the peer's newer generation, then the more secure, then the one
 * dialled by the smaller name, then the newer. Before all that, mutual TLS stays against anything less: what a peer
 * says of its generation without a certificate carries no weight against one that has shown it.
 *
 * Both ends come to the same answer: two streams that both of them hold differ in nothing that only one end knows, and
 * of two dialled by the same node both saw the same one first.
 */
export function chooseStream<First extends StreamFacts, Second extends StreamFacts>(
  first: First,
  second: Second,
): First | Second {
  const proven = Number(isProven(first)) - Number(isProven(second));
  const difference =
    proven ||
    first.generation - second.generation ||
    STRENGTH[first.security.kind] - STRENGTH[second.security.kind] ||
    compareNames(second.dialledBy, first.dialledBy) ||
    first.order - second.order;
  return difference >= 0 ? first : second;
}

function isProven({ security }: StreamFacts): boolean {
  return security.kind === 'mutual_tls';
}

function compareNames(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
