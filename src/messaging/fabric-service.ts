import type * as grpc from '@grpc/grpc-js';
import { isSelvedgeError, SelvedgeError } from '../errors/selvedge-error.ts';
import { type Caller, callerOf } from '../rpc/caller.ts';
import { statusOf } from '../rpc/status.ts';
import type { Downgrades } from './downgrades.ts';
import {
  type Frame,
  fabricDefinition,
  TARGET_NODE_METADATA,
  type WireIntroduceRequest,
  type WireIntroduction,
} from './frame.ts';
import { FrameStream } from './frame-stream.ts';
import { type Introduction, introductionToWire, malformedFrame, parseIntroduction } from './introduction.ts';
import { type Hello, type HelloContext, judgeHello } from './judge-hello.ts';
import type { RefusalLog } from './refusal-log.ts';

/** What a server adds. Its calls must have a caller (see `callerOf`). */
export interface FabricService {
  readonly definition: grpc.ServiceDefinition;
  readonly implementation: grpc.UntypedServiceImplementation;
}

export interface FabricServiceParts {
  readonly helloTimeoutMs: number;
  /** What counts for this Hello. @throws node_closed when no Hello is taken any more. */
  readonly contextOf: (hello: Hello, caller: Caller, target: string | undefined) => HelloContext;
  /** What somebody who asks under this name is told of this node. */
  readonly introductionFor: (name: string, caller: Caller) => Introduction;
  /** The Hello is fine: answers it and takes the stream. */
  readonly take: (hello: Hello, protocol: number, caller: Caller, frames: FrameStream) => void;
  readonly refusals: RefusalLog;
  readonly downgrades: Pick<Downgrades, 'refused'>;
}

/**
 * The server's side of `Fabric`. `Connect` waits for the Hello, judges it, and takes or refuses the stream; `Introduce`
 * says who this node is.
 */
export function implementFabric(parts: FabricServiceParts): FabricService {
  const connect: grpc.handleBidiStreamingCall<Frame, Frame> = call => {
    receiveHello(call, parts).catch(error => call.emit('error', statusOf(error)));
  };
  const introduce: grpc.handleUnaryCall<WireIntroduceRequest, WireIntroduction> = (call, reply) =>
    reply(null, introductionToWire(parts.introductionFor(call.request.nodeName, callerOf(call))));
  return { definition: fabricDefinition, implementation: { Connect: connect, Introduce: introduce } };
}

async function receiveHello(call: grpc.ServerDuplexStream<Frame, Frame>, parts: FabricServiceParts): Promise<void> {
  const caller = callerOf(call);
  const frames = FrameStream.ofServerCall(call);
  const first = await frames.next(parts.helloTimeoutMs);
  // A peer that went away without a Hello: there is nobody to refuse.
  if (first === 'ended') return;
  if (first === 'timeout') throw noHello(caller, parts);
  const hello = readHello(first, caller, parts);
  const target = call.metadata.get(TARGET_NODE_METADATA)[0]?.toString();
  const verdict = judgeHello(hello, parts.contextOf(hello, caller, target));
  if (verdict.ok) return parts.take(hello, verdict.protocol, caller, frames);
  const { reason, detail, told } = verdict;
  parts.refusals.refused({ node: hello.introduction.nodeName, reason, detail, caller });
  if (reason === 'downgrade_refused') parts.downgrades.refused(hello.introduction.nodeName, caller.security);
  throw new SelvedgeError('refused', `${reason}: ${told}`, { reason, by: 'us', detail });
}

function noHello(caller: Caller, { helloTimeoutMs, refusals }: FabricServiceParts): SelvedgeError {
  const reason = 'handshake_timeout';
  const detail = `no Hello within ${helloTimeoutMs} ms`;
  refusals.refused({ node: undefined, reason, detail, caller });
  return new SelvedgeError('refused', `${reason}: ${detail}`, { reason, by: 'us', detail });
}

function readHello({ body, hello }: Frame, caller: Caller, { refusals }: FabricServiceParts): Hello {
  try {
    if (body !== 'hello' || hello === undefined || hello === null) throw malformedFrame('the first frame is no Hello');
    const { protocolMin, protocolMax } = hello;
    return { introduction: parseIntroduction(hello.introduction), protocolMin, protocolMax };
  } catch (error) {
    if (isSelvedgeError(error, 'refused')) refusals.refused({ node: undefined, ...error.facts, caller });
    throw error;
  }
}
