import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { writeFileAtomic } from '../../src/lifecycle/atomic-write.ts';
import { openMembersFile } from '../../src/membership/members-file-source.ts';
import type { MembershipSource } from '../../src/membership/membership-source.ts';
import type { Logger } from '../../src/telemetry/logger.ts';

/** Members by name, each with its port on loopback. */
export type Published = Readonly<Record<string, number>>;

/** Where a source hears of members, as a test steers it. */
export interface MembershipPlace {
  open(logger: Logger): Promise<MembershipSource>;
  /** The truth from now on, however often it is told. */
  publish(members: Published): Promise<void>;
  /** One member is told twice, in the way that the place knows. */
  publishTwice(members: Published, name: string): Promise<void>;
  /** What cannot be understood stands there, in place of everybody or beside them. */
  publishGarbage(): Promise<void>;
  /** Nobody is listed, without a word of why. */
  publishNobody(): Promise<void>;
  /** It cannot be heard; what is published meanwhile is there afterwards. */
  lose(): Promise<void>;
  restore(): Promise<void>;
}

export type MakeMembershipPlace = (t: TestContext) => Promise<MembershipPlace>;

export const MEMBERSHIP_PLACES: Readonly<Record<string, MakeMembershipPlace>> = { file: filePlace };

async function filePlace(t: TestContext): Promise<MembershipPlace> {
  const directory = await mkdtemp(join(tmpdir(), 'selvedge-place-'));
  t.after(() => rm(directory, { recursive: true }));
  const file = join(directory, 'members.toml');
  let text = '';
  let isLost = false;
  const write = async (content: string) => {
    text = content;
    if (!isLost) await writeFileAtomic(file, content, 0o600);
  };
  const tables = (members: Published) =>
    Object.entries(members).map(([name, port]) => `[[member]]\nname = "${name}"\naddress = "127.0.0.1:${port}"\n`);
  return {
    open: logger => openMembersFile({ file, logger, check: () => {} }),
    publish: members => write(tables(members).join('')),
    publishTwice: (members, name) => write([...tables(members), ...tables({ [name]: members[name] ?? 1 })].join('')),
    publishGarbage: () => write('[[member]\nname = \u0000'),
    publishNobody: () => write(''),
    lose: async () => {
      isLost = true;
      await rm(file);
    },
    restore: () => {
      isLost = false;
      return write(text);
    },
  };
}
