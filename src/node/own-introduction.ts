import type { Address, TcpAddress } from '../identity/address.ts';
import { derived, MutableValue, type ObservableValue } from '../lifecycle/observable-value.ts';
import type { OwnWord } from '../membership/own-word.ts';
import type { Introduction } from '../messaging/introduction.ts';
import { advertisedAddresses } from './advertised-addresses.ts';
import type { NodeParts } from './node-parts.ts';
import { VERSION } from './version.ts';

/** What this node says of itself to its peers: of now, and anew when its settings or its certificate change. */
export class OwnIntroduction {
  readonly #parts: Pick<NodeParts, 'settings' | 'credentials' | 'data' | 'hostName' | 'closing'>;
  readonly #value: MutableValue<Introduction>;
  #boundAddress: Address;

  constructor(parts: Pick<NodeParts, 'settings' | 'credentials' | 'data' | 'hostName' | 'closing'>) {
    this.#parts = parts;
    this.#boundAddress = parts.settings.value.networking.bindAddress;
    this.#value = new MutableValue(this.#introduce());
    for (const value of [parts.settings, parts.credentials.server])
      parts.closing.defer(
        'introduction',
        value.subscribe(() => this.#update()),
      );
  }

  get value(): ObservableValue<Introduction> {
    return this.#value;
  }

  /** What peers are told to dial, the best first. */
  get addresses(): readonly Address[] {
    const { settings, hostName } = this.#parts;
    const { mode, networking } = settings.value;
    return advertisedAddresses({ mode, configured: networking.advertised, boundAddress: this.#boundAddress, hostName });
  }

  /** What those are told who keep the list of members, from now on. */
  get word(): ObservableValue<OwnWord> {
    return derived(this.#value, ({ generation, addresses, labels, zone, weight }) => ({
      generation,
      addresses,
      labels,
      zone,
      weight,
    }));
  }

  /** The fabric listens there, with its real port. */
  bound(address: Address): void {
    this.#boundAddress = address;
    this.#update();
  }

  #update(): void {
    this.#value.set(this.#introduce());
  }

  #introduce(): Introduction {
    const { settings, credentials, data } = this.#parts;
    const { clusterName, nodeName, mode, labels, zone, weight } = settings.value;
    const serverCertificateSha256 = credentials.server.value?.own.identity.fingerprint256;
    const addresses = this.addresses.filter((address): address is TcpAddress => address.kind === 'tcp');
    return {
      clusterName,
      nodeName,
      generation: data.generation,
      addresses,
      mode,
      labels,
      version: VERSION,
      serverCertificateSha256,
      zone,
      weight,
    };
  }
}
