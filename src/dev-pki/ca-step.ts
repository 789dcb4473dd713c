/** A CA is replaced in three steps: a new root is trusted too; it issues everything; the old one is trusted no more. */
export const CA_STEPS = ['add', 'switch', 'drop'] as const;
export type CaStep = (typeof CA_STEPS)[number];
