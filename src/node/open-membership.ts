import { NodeMembership } from './node-membership.ts';
import { openSource } from './open-source.ts';
import type { SourceParts } from './source-parts.ts';

/**
 * The members as the sources of the settings tell them, at the start of a node.
 * @throws config_invalid, membership_unavailable, member_removed, with nothing open.
 */
export async function openMembership(parts: SourceParts): Promise<NodeMembership> {
  const { problems, logger, metrics } = parts;
  const settings = parts.settings.value;
  const open = (source: Parameters<typeof openSource>[0]) => openSource(source, parts);
  const members = new NodeMembership({ nodeName: settings.nodeName, open, problems, logger, metrics });
  try {
    await members.commit(await members.prepare(settings.membership));
    return members;
  } catch (error) {
    await members.close();
    throw error;
  }
}
