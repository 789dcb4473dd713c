import type { CredentialReading } from './credential-bytes.ts';
import { type CredentialProblem, describeProblem } from './credential-problem.ts';
import type { CredentialSource, CredentialSourceParts, PlaceSpec } from './credential-source.ts';
import type { DirectorySpec } from './directory-source.ts';
import { whyNotOurs } from './place-owner.ts';

/** The first of some places that holds credentials. */
export interface AutoSpec {
  readonly kind: 'auto';
  /** In the order in which they are looked at. */
  readonly places: readonly DirectorySpec[];
}

type OpenPlace = (spec: PlaceSpec, parts: CredentialSourceParts) => Promise<CredentialSource>;

/** Looks at the places when it is read for the first time, and again until one of them holds credentials. */
export async function openAutoSource(
  spec: AutoSpec,
  parts: CredentialSourceParts,
  open: OpenPlace,
): Promise<CredentialSource> {
  return new AutoSource(spec, parts, open);
}

/** A1. Which place was taken stays so: what a place lacks later is a problem, and no reason to take another one. */
class AutoSource implements CredentialSource {
  readonly #spec: AutoSpec;
  readonly #parts: CredentialSourceParts;
  readonly #open: OpenPlace;
  #taken: CredentialSource | undefined;

  constructor(spec: AutoSpec, parts: CredentialSourceParts, open: OpenPlace) {
    this.#spec = spec;
    this.#parts = parts;
    this.#open = open;
  }

  read(): Promise<CredentialReading> {
    return this.#taken?.read() ?? this.#look();
  }

  async close(): Promise<void> {
    await this.#taken?.close();
  }

  async #look(): Promise<CredentialReading> {
    const passedOver: CredentialProblem[] = [];
    for (const place of this.#spec.places) {
      const name = nameOf(place);
      const notOurs = await whyNotOurs(pathOf(place));
      const source = notOurs === undefined ? await this.#open(place, this.#parts) : undefined;
      const reading = await source?.read();
      if (reading?.ok) {
        this.#taken = source;
        this.#parts.logger.info('tls.source_found', { place: name, passed_over: passedOver.map(describeProblem) });
        return reading;
      }
      await source?.close();
      passedOver.push(...(reading?.problems ?? [{ file: name, problem: notOurs ?? '' }]));
    }
    return { ok: false, problems: passedOver };
  }
}

function nameOf(place: DirectorySpec): string {
  return place.directory;
}

function pathOf(place: DirectorySpec): string {
  return place.directory;
}
