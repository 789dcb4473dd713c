import { isRefusalReason, type RefusalReason } from '../errors/refusal-reason.ts';
import { printable } from '../telemetry/logger.ts';
import type { WireAdmissionAnswer, WireAdmissionQuestion } from './frame.ts';
import { malformedFrame } from './introduction.ts';

const MAX_CERTIFICATES = 10;
const MAX_CHAIN_BYTES = 32_768;
const MAX_DETAIL_LENGTH = 512;

const USAGES = ['client', 'server'] as const;

/** What a certificate is on a connection between two nodes: `client` where its holder dials, `server` where it is dialled. */
export type AdmissionUsage = (typeof USAGES)[number];

/** Whether the one who asks would be admitted with this chain. */
export interface AdmissionQuestion {
  readonly leafDer: Uint8Array;
  /** In DER. */
  readonly intermediates: readonly Uint8Array[];
  /** Never empty. */
  readonly usages: readonly AdmissionUsage[];
}

export type AdmissionAnswer =
  | { readonly judged: true; readonly admitted: true }
  | {
      readonly judged: true;
      readonly admitted: false;
      readonly reason: RefusalReason;
      /** Printable; empty where the reason says it all. Never says what would be allowed. */
      readonly detail: string;
    }
  /** The one who was asked does not say. */
  | { readonly judged: false };

/** Whether a chain may be asked about at all; a peer takes a larger one for a breach of the protocol. */
export function fitsQuestion(ders: readonly Uint8Array[]): boolean {
  const bytes = ders.reduce((sum, { length }) => sum + length, 0);
  return ders.length <= MAX_CERTIFICATES && bytes <= MAX_CHAIN_BYTES;
}

/** @throws refused (`handshake_failed`) with a text that holds nothing of what the peer sent. */
export function parseQuestion({ chain, usages }: WireAdmissionQuestion): AdmissionQuestion {
  const [leafDer, ...intermediates] = chain;
  if (leafDer === undefined) throw malformedFrame('an admission question without a certificate');
  if (!fitsQuestion(chain)) throw malformedFrame('an admission question with too long a chain');
  const asked = USAGES.filter(usage => usages.includes(usage));
  if (asked.length !== usages.length || asked.length === 0)
    throw malformedFrame('an admission question for a usage that is not known');
  return { leafDer, intermediates, usages: asked };
}

export function questionToWire(id: number, question: AdmissionQuestion): WireAdmissionQuestion {
  return { id, chain: [question.leafDer, ...question.intermediates], usages: question.usages };
}

/** A reason of a newer version, which this one does not know, is a refusal all the same. */
export function parseAnswer({ judged, reason, detail }: WireAdmissionAnswer): AdmissionAnswer {
  if (!judged) return { judged };
  if (reason === '') return { judged, admitted: true };
  const known = isRefusalReason(reason) ? reason : 'handshake_failed';
  return { judged, admitted: false, reason: known, detail: printable(detail.slice(0, MAX_DETAIL_LENGTH)) };
}

export function answerToWire(id: number, answer: AdmissionAnswer): WireAdmissionAnswer {
  if (!answer.judged || answer.admitted) return { id, judged: answer.judged, reason: '', detail: '' };
  return { id, judged: true, reason: answer.reason, detail: answer.detail };
}
