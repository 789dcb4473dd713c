import type { CredentialReading } from './credential-bytes.ts';
import { type CredentialProblem, describeProblem } from './credential-problem.ts';
import type { CredentialSource, CredentialSourceParts } from './credential-source.ts';
import { whyNoAgent, whyNotOurs } from './place-checks.ts';
import type { WellKnownPlace } from './well-known-places.ts';

/** The first of some places that holds credentials. */
export interface AutoSpec {
  readonly kind: 'auto';
  /** In the order in which they are looked at. */
  readonly places: readonly WellKnownPlace[];
}

type OpenPlace = (spec: WellKnownPlace, parts: CredentialSourceParts) => Promise<CredentialSource>;

/** Looks at the places when it is read for the first time, and again until one of them holds credentials. */
export async function openAutoSource(
  spec: AutoSpec,
  parts: CredentialSourceParts,
  open: OpenPlace,
): Promise<CredentialSource> {
  return new AutoSource(spec, parts, open);
}

/**
 * A1. Which place was taken stays so: what a place lacks later is a problem, and no reason to take another one.
 * A2. Whose the place is, is looked at before each reading of files and each dial of an agent, not only when it is taken.
 */
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
      const why = await whyPassedOver(place);
      const whyNotBelieved = () => whyNotBelievedAt(place);
      const source = why === undefined ? await this.#open(place, { ...this.#parts, whyNotBelieved }) : undefined;
      const reading = await source?.read();
      if (reading?.ok) {
        this.#taken = source;
        this.#parts.logger.info('tls.source_found', { place: name, passed_over: passedOver.map(describeProblem) });
        return reading;
      }
      await source?.close();
      const problems = reading?.problems ?? [{ file: name, problem: why ?? '' }];
      // What no place holds now may be there later, as with an agent that starts after us.
      passedOver.push(...problems.map(problem => ({ mayPass: true, ...problem })));
    }
    return { ok: false, problems: passedOver };
  }
}

/** As its problems and bytes name it. */
function nameOf(place: WellKnownPlace): string {
  return place.kind === 'spiffe' ? `spiffe:unix:${place.socketPath}` : place.directory;
}

async function whyNotBelievedAt(place: WellKnownPlace): Promise<CredentialProblem | undefined> {
  const problem = await whyNotOurs(pathOf(place));
  return problem === undefined ? undefined : { file: nameOf(place), problem };
}

function pathOf(place: WellKnownPlace): string {
  return place.kind === 'spiffe' ? place.socketPath : place.directory;
}

/** What can be told at once, so that nobody waits for an agent where there is none. */
async function whyPassedOver(place: WellKnownPlace): Promise<string | undefined> {
  return (await whyNotOurs(pathOf(place))) ?? (place.kind === 'spiffe' ? whyNoAgent(place.socketPath) : undefined);
}
