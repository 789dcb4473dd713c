import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAuthority } from '../../src/dev-pki/authority.ts';
import { withScheme } from '../../src/identity/address.ts';
import { echo, whoAmI } from '../kit/echo-service.ts';
import { makeSnapshot, startConnector, startListener } from '../kit/fabric-pair.ts';

const MODES = ['plain', 'optional', 'strict'] as const;

/** dials x listens, as the contract has it. */
const TABLE = {
  plain: { plain: 'none', optional: 'none', strict: 'plaintext_refused' },
  optional: { plain: 'none', optional: 'mutual_tls', strict: 'mutual_tls' },
  strict: { plain: 'no_usable_address', optional: 'mutual_tls', strict: 'mutual_tls' },
} as const;

for (const dials of MODES) {
  for (const listens of MODES) {
    const expected = TABLE[dials][listens];
    test(`${dials} dials ${listens}: ${expected}`, async t => {
      const authority = await createAuthority();
      const server = await startListener(t, { mode: listens, snapshot: await makeSnapshot(t, { authority }) });
      const https = withScheme(server.address, 'https');
      const http = withScheme(server.address, 'http');
      // A plain dialler that does not know better dials http wherever it is.
      const advertised = { plain: [http], optional: [https, http], strict: dials === 'plain' ? [http] : [https] }[
        listens
      ];
      const { client } = startConnector(t, {
        mode: dials,
        addresses: advertised,
        snapshot: await makeSnapshot(t, { authority }),
      });
      if (expected === 'none' || expected === 'mutual_tls') {
        assert.equal(await echo(client, 'hello'), 'hello');
        assert.equal((await whoAmI(client)).security, expected);
      } else {
        await assert.rejects(echo(client, 'hello'), (error: { code: number; details: string }) => {
          assert.equal(error.code, 14);
          assert.match(error.details, new RegExp(expected));
          return true;
        });
      }
    });
  }
}
