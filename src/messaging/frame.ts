import type * as grpc from '@grpc/grpc-js';
import { MAX_BATCH_BYTES } from '../exchange/record.ts';
import { serviceDefinition } from '../rpc/service.ts';
import { withBatches } from './frame-codec.ts';

/** `selvedge.fabric.v1.Introduction` as protobuf gives it: nothing in it is checked yet. */
export interface WireIntroduction {
  readonly clusterName: string;
  readonly nodeName: string;
  /** As a number; beyond 2^53 it is not exact. */
  readonly generation: number;
  readonly advertisedAddresses: readonly string[];
  readonly mode: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly version: string;
  /** Empty where none is shown, and from a node that does not know the field. */
  readonly serverCertificateSha256: string;
  /** Empty where it does not say. */
  readonly zone: string;
  /** Undefined from a node that does not know the field. */
  readonly weight?: number;
}

export interface WireIntroduceRequest {
  /** Of who asks. */
  readonly nodeName: string;
}

export interface WireHello {
  readonly introduction?: WireIntroduction | null;
  readonly protocolMin: number;
  readonly protocolMax: number;
}

export interface WireWelcome {
  readonly introduction?: WireIntroduction | null;
  readonly protocol: number;
}

export interface WireAdmissionQuestion {
  /** As a number; beyond 2^53 it is not exact. */
  readonly id: number;
  readonly chain: readonly Uint8Array[];
  readonly usages: readonly string[];
}

export interface WireAdmissionAnswer {
  readonly id: number;
  readonly judged: boolean;
  readonly reason: string;
  readonly detail: string;
}

/** One frame; `body` names the one field that is set. Without it the frame is of a kind this version does not know. */
export interface Frame {
  readonly body?: keyof Omit<Frame, 'body'>;
  readonly hello?: WireHello | null;
  readonly welcome?: WireWelcome | null;
  readonly heartbeat?: { readonly sequence: number } | null;
  readonly advertisement?: { readonly introduction?: WireIntroduction | null } | null;
  readonly draining?: Record<never, never> | null;
  readonly drainingAcknowledged?: Record<never, never> | null;
  readonly goodbye?: { readonly reason: string; readonly detail: string } | null;
  readonly admissionQuestion?: WireAdmissionQuestion | null;
  readonly admissionAnswer?: WireAdmissionAnswer | null;
  readonly batch?: Buffer | null;
  readonly watch?: { readonly watches: boolean } | null;
}

/** Most that a frame of the stream may take on the wire; gRPC must take as much, whatever an application sends. */
export const MAX_FRAME_BYTES: number = MAX_BATCH_BYTES + 16;

const fabric = serviceDefinition('selvedge.fabric.v1.Fabric');

/** `Fabric.Connect`, for those who call it. */
export const connectMethod: grpc.MethodDefinition<Frame, Frame> = withBatches(methodOf(fabric, 'Connect'));

/** `Fabric.Introduce`, for those who call it. */
export const introduceMethod: grpc.MethodDefinition<WireIntroduceRequest, WireIntroduction> = methodOf(
  fabric,
  'Introduce',
);

/** The service definition to add to a server. */
export const fabricDefinition: grpc.ServiceDefinition = { Connect: connectMethod, Introduce: introduceMethod };

/**
 * Request metadata that names the node the dialler looks for, so that a dial to a wrong address is refused by the node
 * that answers there before a stream of the pair is touched.
 */
export const TARGET_NODE_METADATA = 'selvedge-target-node';

function methodOf<Request, Response>(
  definition: grpc.ServiceDefinition,
  name: string,
): grpc.MethodDefinition<Request, Response> {
  const method = definition[name];
  if (method === undefined) throw new TypeError(`the fabric service has no method ${name}`);
  return method;
}
