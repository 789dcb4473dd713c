import { parseAddition, parseNamedChange } from '../membership/parse-change.ts';
import type { Caller } from '../rpc/caller.ts';
import { type ClusterControlMethods, clusterControl, type NamedNodeRequest } from '../rpc/control-messages.ts';
import type { UnaryHandlers } from '../rpc/service.ts';
import type { NodeFacts } from './node-facts.ts';

type EditMethod = 'AddNode' | 'DrainNode' | 'RemoveNode' | 'TerminateNode';

/** The methods that change who the members are. */
export function editMembers(
  node: Pick<NodeFacts, 'editMembership'>,
): Pick<UnaryHandlers<ClusterControlMethods>, EditMethod> {
  const named =
    (method: EditMethod, kind: 'drain' | 'remove' | 'terminate', membershipState: string) =>
    async ({ nodeName }: NamedNodeRequest, caller: Caller) => {
      await node.editMembership(parseNamedChange(kind, nodeName), caller, pathOf(method));
      return { nodeName, membershipState };
    };
  return {
    AddNode: async ({ nodeName, ...given }, caller) => {
      await node.editMembership(parseAddition({ name: nodeName, ...given }), caller, pathOf('AddNode'));
      return { nodeName, membershipState: 'active' };
    },
    DrainNode: named('DrainNode', 'drain', 'draining'),
    RemoveNode: named('RemoveNode', 'remove', 'removed'),
    TerminateNode: named('TerminateNode', 'terminate', 'terminating'),
  };
}

function pathOf(method: EditMethod): string {
  return `/${clusterControl.name}/${method}`;
}
